import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { UnsupportedRedisError } from './check-redis-server.ts';
import { plainError } from './errors.ts';
import type { RedisAddress, RedisSettings } from './redis-settings.ts';

/** Where the server that takes writes is now. Asks again each time; rejects where nobody knows. */
export type FindPrimary = () => Promise<RedisAddress>;

/** How those are asked who know. */
export interface Login {
  username: string | undefined;
  password: string | undefined;
  secure: ((host: string) => Promise<ConnectionOptions>) | null;
}

/** A server that does not respond is passed over after this time, for each of its connection and its reply. */
const LOOKUP_MS = 1_000;

/**
 * In a cluster, the node that serves the slot of `key`. All keys are in that slot, so a plain connection to its node is
 * all that is needed, as to a single Redis: signals reach every process there, and the count of those who heard is right.
 */
export function clusterPrimary(seeds: readonly RedisAddress[], key: string, login: Login): FindPrimary {
  let known: RedisAddress[] = [];
  const askOne = askInTurn('No node of the Redis Cluster', login);
  return () =>
    askOne(unique([...known, ...seeds]), async (client, address) => {
      const [slot, ranges] = await Promise.all([
        client.call('CLUSTER', 'KEYSLOT', key),
        client.call('CLUSTER', 'SLOTS'),
      ]).catch((error: unknown) => {
        if (!/cluster support disabled/.test(String(error))) throw error;
        throw new UnsupportedRedisError('This Redis is no node of a Redis Cluster: set REDIS_CLUSTER=off.');
      });
      const { primary, nodes } = readSlots(ranges, z.number().parse(slot), address);
      known = nodes;
      if (primary === undefined) throw new Error('no node serves the slot of the keys');
      return primary;
    });
}

/** The primary that Sentinels name. */
export function sentinelPrimary({
  addresses,
  name,
  secure,
  ...user
}: NonNullable<RedisSettings['sentinels']> & Pick<Login, 'secure'>): FindPrimary {
  const askOne = askInTurn('No Sentinel', { ...user, secure });
  return () =>
    askOne(addresses, async (client, { host, port }) => {
      const reply = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
      if (reply === null) {
        throw new Error(`the Sentinel at ${host}:${port} knows no primary of the name ${name}`);
      }
      const [primaryHost, primaryPort] = z.tuple([z.string(), z.coerce.number()]).parse(reply);
      return { host: primaryHost, port: primaryPort };
    });
}

/**
 * Asks one after another until one knows. Each time another is the first: one that is not told of a failover yet would
 * else be asked again and again.
 */
function askInTurn(who: string, login: Login) {
  let turn = 0;
  return async (
    addresses: readonly RedisAddress[],
    question: (client: Redis, address: RedisAddress) => Promise<RedisAddress>,
  ): Promise<RedisAddress> => {
    const first = turn++;
    let reason = '';
    for (const index of addresses.keys()) {
      const address = addresses[(first + index) % addresses.length];
      if (address === undefined) continue;
      try {
        return await ask(address, login, (client) => question(client, address));
      } catch (error) {
        if (error instanceof UnsupportedRedisError) throw error;
        reason = plainError(error).message;
      }
    }
    throw new Error(`${who} says where the primary is: ${reason}.`);
  };
}

/** Over a connection of its own, which is closed afterwards. */
async function ask<Answer>(
  address: RedisAddress,
  { username, password, secure }: Login,
  question: (client: Redis) => Promise<Answer>,
): Promise<Answer> {
  const client = new Redis({
    ...address,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(secure === null ? {} : { tls: await secure(address.host) }),
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    // Sentinels refuse the INFO and CLIENT SETINFO of some versions.
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: LOOKUP_MS,
    commandTimeout: LOOKUP_MS,
  });
  let reason: Error | undefined;
  client.on('error', (error) => {
    reason ??= error;
  });
  try {
    await client.connect();
    return await question(client);
  } catch (error) {
    // The connection's own error says more than that it is closed.
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}

const nodeSchema = z.tuple([z.string().nullable(), z.number()]).rest(z.unknown());
const slotsSchema = z.array(z.tuple([z.number(), z.number()]).rest(nodeSchema));

/** Reads CLUSTER SLOTS: ranges of slots, each with its primary and then its replicas. */
function readSlots(
  reply: unknown,
  slot: number,
  asked: RedisAddress,
): { primary: RedisAddress | undefined; nodes: RedisAddress[] } {
  const ranges = slotsSchema.parse(reply).map(([first, last, ...nodes]) => ({
    serves: first <= slot && slot <= last,
    // A node without a host has that of the node that was asked; `?` is one whose host is not known.
    nodes: nodes.flatMap(([host, port]) => (host === '?' ? [] : { host: host || asked.host, port })),
  }));
  return {
    primary: ranges.find(({ serves }) => serves)?.nodes[0],
    nodes: unique(ranges.flatMap(({ nodes }) => nodes)),
  };
}

function unique(addresses: readonly RedisAddress[]): RedisAddress[] {
  return [...new Map(addresses.map((address) => [`${address.host}:${address.port}`, address])).values()];
}
