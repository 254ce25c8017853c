import type { Redis } from 'ioredis';

/** BullMQ's own minimum; its commands need what came with it. */
const MINIMUM_VERSION = [6, 2] as const;

/**
 * Reports a server that will lose jobs (an eviction policy) or that is too old. BullMQ looks too,
 * but writes to the console, and a queue whose look fails never works again; so its look is off.
 */
export async function checkRedisServer(client: Redis, onError: (error: unknown) => void): Promise<void> {
  const facts = new Map<string, string>();
  for (const line of (await client.info()).split(/\r?\n/)) {
    const [name = '', value = ''] = line.split(':', 2);
    facts.set(name, value);
  }
  const policy = facts.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    onError(new Error(`Redis has maxmemory-policy ${policy}, so it may drop hints; set it to noeviction.`));
  }
  const version = facts.get('redis_version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = MINIMUM_VERSION;
  if (version !== '' && (major < leastMajor || (major === leastMajor && minor < leastMinor))) {
    onError(new Error(`Redis is version ${version}; at least ${leastMajor}.${leastMinor} is needed.`));
  }
}
