import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { startRedis, type RedisServer } from './redis-server.ts';
import { untilTrue } from './until-true.ts';

/** Several Redis servers of which one takes the place of another that dies. */
export interface RedisGroup {
  /** What the programs need to know of it. */
  environment: Record<string, string>;
  /** SIGKILL for the server that takes the writes now. */
  killPrimary(): Promise<void>;
  stop(): Promise<void>;
}

const FAILOVER_MS = '1000';
const SLOTS = 16_384;
const MASTERS = 3;

/** A Redis Cluster of three masters with a replica each. */
export async function startRedisCluster(): Promise<RedisGroup> {
  const nodes = await Promise.all(
    Array.from({ length: 2 * MASTERS }, async () => {
      const bus = String(await freePort());
      const options = ['--cluster-port', bus, '--cluster-node-timeout', FAILOVER_MS];
      return { bus, server: await start({ kind: 'cluster', options }) };
    }),
  );
  const [first] = nodes;
  const ids = await Promise.all(nodes.map(({ server }) => say<string>(server, 'CLUSTER', 'MYID')));
  await Promise.all(
    nodes.slice(0, MASTERS).map(({ server }, index) => {
      const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / MASTERS));
      return say(server, 'CLUSTER', 'ADDSLOTSRANGE', Number(from), Number(to) - 1);
    }),
  );
  for (const { server, bus } of nodes.slice(1))
    if (first !== undefined) await say(first.server, 'CLUSTER', 'MEET', '127.0.0.1', server.port, bus);
  const isHealthy = async (): Promise<boolean> => {
    const facts = await Promise.all(nodes.map(({ server }) => say<string>(server, 'CLUSTER', 'INFO')));
    return facts.every((text) => /cluster_state:ok[^]*cluster_known_nodes:6/.test(text));
  };
  await untilTrue('the nodes know each other', isHealthy);
  await Promise.all(
    nodes.slice(MASTERS).map(({ server }, index) => say(server, 'CLUSTER', 'REPLICATE', String(ids[index]))),
  );
  const isCopied = async (): Promise<boolean> => {
    const roles = await Promise.all(nodes.slice(MASTERS).map(({ server }) => say(server, 'ROLE')));
    return roles.every((role) => Array.isArray(role) && role[0] === 'slave' && role[3] === 'connected');
  };
  await untilTrue('the replicas are connected', isCopied);
  const servers = nodes.map(({ server }) => server);
  return {
    environment: {
      REDIS_CLUSTER: 'on',
      BACKPLANE_URL: servers[0]?.url ?? '',
      REDIS_NODES: servers
        .slice(1)
        .map(({ port }) => `127.0.0.1:${port}`)
        .join(),
    },
    killPrimary: () => killThatWith(servers, 'db0:keys'),
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  };
}

/** A primary and a replica, watched by three Sentinels. */
export async function startSentinels(): Promise<RedisGroup> {
  const primary = await start({});
  const replica = await start({ options: ['--replicaof', '127.0.0.1', String(primary.port)] });
  const sentinels = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const sentinel = await start({ kind: 'sentinel' });
      await say(sentinel, 'SENTINEL', 'MONITOR', 'turnpike', '127.0.0.1', primary.port, 2);
      await say(sentinel, 'SENTINEL', 'SET', 'turnpike', 'down-after-milliseconds', FAILOVER_MS);
      return sentinel;
    }),
  );
  await untilTrue('the Sentinels know the replica and each other', async () => {
    const known = await Promise.all(
      sentinels.map((sentinel) => say<string[]>(sentinel, 'SENTINEL', 'MASTER', 'turnpike')),
    );
    const fact = (words: string[], name: string): string | undefined => words[words.indexOf(name) + 1];
    return known.every((it) => fact(it, 'num-slaves') === '1' && fact(it, 'num-other-sentinels') === '2');
  });
  const servers = [primary, replica];
  return {
    environment: {
      BACKPLANE_URL: primary.url,
      REDIS_SENTINELS: sentinels.map(({ port }) => `127.0.0.1:${port}`).join(),
      REDIS_SENTINEL_NAME: 'turnpike',
    },
    killPrimary: () => killThatWith(servers, 'role:master'),
    stop: async () => void (await Promise.all([...servers, ...sentinels].map((it) => it.stop()))),
  };
}

async function start(settings: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
  const server = await startRedis(settings);
  if (server === null) throw new Error('There is no redis-server.');
  return server;
}

/** Of those that respond, the primary whose INFO has this text. */
async function killThatWith(servers: readonly RedisServer[], text: string): Promise<void> {
  for (const server of servers) {
    const info = await say<string>(server, 'INFO').catch(() => '');
    if (info.includes('role:master') && info.includes(text)) return server.kill();
  }
  throw new Error('No primary responds.');
}

async function say<Reply>(
  server: RedisServer,
  command: string,
  ...words: (string | number)[]
): Promise<Reply> {
  const client = new Redis(server.url, {
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.call(command, ...words)) as Reply;
  } finally {
    client.disconnect();
  }
}
