import { once } from 'node:events';
import { TerminalError } from '@turnpike/contract';
import type { Redis } from 'ioredis';
import { RESPONSE_TIMEOUT_MS } from './with-timeout.ts';

/** BullMQ's own minimum; its commands need what came with it. */
const MINIMUM_VERSION = [6, 2] as const;

/** A kind of Redis that the backplane does not work with. */
export class UnsupportedRedisError extends TerminalError {
  constructor(message: string) {
    super('redis_unsupported', message);
  }
}

/**
 * Reports a server that will lose jobs (an eviction policy), that is too old, or that takes no writes. BullMQ looks
 * too, but writes to the console, and a queue whose look fails never works again; so its look is off.
 * Throws `UnsupportedRedisError` for a server that the backplane can never work with.
 */
export async function checkRedisServer(client: Redis, onError: (error: unknown) => void): Promise<void> {
  const facts = await readFacts(client);
  refuseUnsupported(facts);
  const policy = facts.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    onError(new Error(`Redis has maxmemory-policy ${policy}, so it may drop jobs; set it to noeviction.`));
  }
  if (facts.get('role') === 'slave') {
    onError(
      new Error(
        'Redis is a replica: it takes no writes, until it is made a primary or another has its name.',
      ),
    );
  }
  const version = facts.get('redis_version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = MINIMUM_VERSION;
  if (version !== '' && (major < leastMajor || (major === leastMajor && minor < leastMinor))) {
    onError(new Error(`Redis is version ${version}; at least ${leastMajor}.${leastMinor} is needed.`));
  }
}

/**
 * Looks at the server once, where it answers at all: one that is away is no reason to wait.
 * Throws `UnsupportedRedisError`.
 */
export async function refuseUnsupportedRedis(client: Redis): Promise<void> {
  const limit = AbortSignal.timeout(RESPONSE_TIMEOUT_MS);
  try {
    if (client.status !== 'ready') {
      // An error of the connection rejects this one too.
      await once(client, 'ready', { signal: limit });
    }
    refuseUnsupported(await readFacts(client));
  } catch (error) {
    // Whatever else it is, the connection says so itself.
    if (error instanceof UnsupportedRedisError) throw error;
  }
}

async function readFacts(client: Redis): Promise<Map<string, string>> {
  const facts = new Map<string, string>();
  for (const line of (await client.info()).split(/\r?\n/)) {
    const [name = '', value = ''] = line.split(':', 2);
    facts.set(name, value);
  }
  return facts;
}

function refuseUnsupported(facts: Map<string, string>): void {
  const mode = facts.get('redis_mode');
  if (mode === 'sentinel') {
    throw new UnsupportedRedisError(
      'This is a Redis Sentinel, which holds no data. Turnpike needs the address of the primary itself.',
    );
  }
  if (mode === 'cluster' || facts.get('cluster_enabled') === '1') {
    throw new UnsupportedRedisError(
      'This Redis is a node of a Redis Cluster, which Turnpike does not support. It needs a single Redis (cluster-enabled no).',
    );
  }
}
