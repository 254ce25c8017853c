import { once } from 'node:events';
import { TerminalError } from '@turnpike/contract';
import type { Redis } from 'ioredis';
import { RESPONSE_TIMEOUT_MS } from './with-timeout.ts';

/** BullMQ's own minimum version. */
const MINIMUM_VERSION = [6, 2] as const;

/** The version that is needed, where this one is older; null where it will do, or the server does not say it. */
export function neededVersion(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = MINIMUM_VERSION;
  const isNew = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  return version === '' || isNew ? null : `${leastMajor}.${leastMinor}`;
}

/** A node of a cluster, or a Sentinel. Null for a single server. */
export function otherKind(facts: ReadonlyMap<string, string>): 'sentinel' | 'cluster' | null {
  // Valkey has both names, or only its own.
  const mode = facts.get('redis_mode') ?? facts.get('server_mode');
  if (mode === 'sentinel') return mode;
  return mode === 'cluster' || facts.get('cluster_enabled') === '1' ? 'cluster' : null;
}

/** A Redis of another kind than the settings say. */
export class UnsupportedRedisError extends TerminalError {
  constructor(message: string) {
    super('redis_unsupported', message);
  }
}

/**
 * Reports a server that may lose jobs (its eviction policy), is too old, or refuses writes. BullMQ's own check is
 * off: it writes to the console, and a queue whose check fails never works again.
 * Throws `UnsupportedRedisError` for a server that is not of the kind that the settings say; one that others name
 * (`mayMove`) has been asked already.
 */
export async function checkRedisServer(
  client: Redis,
  mayMove: boolean,
  onError: (error: unknown) => void,
): Promise<void> {
  const facts = await readFacts(client);
  if (!mayMove) refuseUnsupported(facts);
  const policy = facts.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    onError(new Error(`Redis has maxmemory-policy ${policy}, so it may drop jobs; set it to noeviction.`));
  }
  if (facts.get('role') === 'slave') {
    onError(
      new Error(
        'Redis is a replica and refuses writes until it becomes a primary, or its name points to one.',
      ),
    );
  }
  const version = facts.get('redis_version') ?? '';
  const needed = neededVersion(version);
  if (needed !== null) onError(new Error(`Redis is version ${version}; at least ${needed} is needed.`));
}

/**
 * Checks the server once, where it responds; a server that is away is not waited for.
 * Throws `UnsupportedRedisError`.
 */
export async function refuseUnsupportedRedis(client: Redis, mayMove: boolean): Promise<void> {
  const limit = AbortSignal.timeout(RESPONSE_TIMEOUT_MS);
  try {
    if (client.status !== 'ready') {
      // An error of the connection rejects this promise too.
      await once(client, 'ready', { signal: limit });
    }
    if (!mayMove) refuseUnsupported(await readFacts(client));
  } catch (error) {
    // The connection reports every other error itself.
    if (error instanceof UnsupportedRedisError) throw error;
  }
}

/** What a server says of itself. */
export async function readFacts(client: Redis): Promise<Map<string, string>> {
  const facts = new Map<string, string>();
  for (const line of (await client.info()).split(/\r?\n/)) {
    const [name = '', value = ''] = line.split(':', 2);
    facts.set(name, value);
  }
  return facts;
}

function refuseUnsupported(facts: Map<string, string>): void {
  const kind = otherKind(facts);
  if (kind === 'sentinel') {
    throw new UnsupportedRedisError(
      'This is a Redis Sentinel, which holds no data: name it in REDIS_SENTINELS.',
    );
  }
  if (kind === 'cluster') {
    throw new UnsupportedRedisError('This Redis is a node of a Redis Cluster: set REDIS_CLUSTER=on.');
  }
}
