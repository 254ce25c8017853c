import { inspectRedis, type RedisInspection, type RedisSettings } from '@turnpike/backplane';
import { clockFinding, failure, ok, warning, type Finding } from './finding.ts';

const MOST_MEMORY = 0.8;

export async function checkRedis(url: string, settings: RedisSettings): Promise<Finding[]> {
  const before = Date.now();
  const facts = await inspectRedis(url, settings);
  const after = Date.now();
  return [
    checkVersion(facts),
    checkKind(facts),
    checkEviction(facts),
    checkMemory(facts),
    clockFinding('redis_clock', 'Redis', { theirs: facts.clock, before, after }),
  ];
}

function checkVersion({ version, neededVersion }: RedisInspection): Finding {
  return neededVersion !== null
    ? failure('redis_version', `Redis ${version}.`, `Upgrade to ${neededVersion} or newer.`)
    : ok('redis_version', `Redis ${version === '' ? 'of a version that it does not say' : version}.`);
}

function checkKind({ isOfAnotherKind, isReplica }: RedisInspection): Finding {
  if (isOfAnotherKind)
    return failure(
      'redis_kind',
      'It is a node of a Redis Cluster, or a Sentinel.',
      'Set REDIS_CLUSTER=on, or name the Sentinels in REDIS_SENTINELS.',
    );
  return isReplica
    ? failure('redis_kind', 'It is a replica, which refuses writes.', 'Name its primary.')
    : ok('redis_kind', 'It takes writes.');
}

function checkEviction({ evictionPolicy: policy }: RedisInspection): Finding {
  if (policy === null)
    return warning(
      'redis_eviction',
      'It does not say its policy.',
      'See that maxmemory-policy is noeviction.',
    );
  return policy === 'noeviction'
    ? ok('redis_eviction', 'maxmemory-policy is noeviction.')
    : failure(
        'redis_eviction',
        `maxmemory-policy is ${policy}.`,
        'Set it to noeviction: else jobs are dropped, and turns wait for a reconciler.',
      );
}

function checkMemory({ usedBytes, maxBytes }: RedisInspection): Finding {
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  if (maxBytes === 0) return ok('redis_memory', `${megabytes(usedBytes)} in use, without a limit.`);
  const seen = `${megabytes(usedBytes)} of ${megabytes(maxBytes)} in use.`;
  return usedBytes < maxBytes * MOST_MEMORY
    ? ok('redis_memory', seen)
    : warning('redis_memory', seen, 'Raise maxmemory: a full Redis refuses jobs.');
}
