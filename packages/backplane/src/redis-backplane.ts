import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Backplane } from './backplane.ts';
import { checkRedisServer, refuseUnsupportedRedis, UnsupportedRedisError } from './check-redis-server.ts';
import { BackplaneUnavailableError, plainError } from './errors.ts';
import { hashTagged } from './hash-tag.ts';
import { PatientWorker } from './patient-worker.ts';
import { KEEP_NOTHING, STALLED_JOBS, type MakeWorker } from './queue-worker.ts';
import { redisRequestRate } from './redis-request-rate.ts';
import { redisBuckets } from './redis-retry-budget.ts';
import { redisAccess, type RedisAccess } from './redis-access.ts';
import { connectRedis, reconnecting, SILENCE_MS, untilReady } from './redis-connection.ts';
import { RedisLive } from './redis-live.ts';
import type { RedisSettings } from './redis-settings.ts';
import { RedisSignals } from './redis-signals.ts';
import { SharedRetryBudget } from './retry-budget.ts';
import { DELIVERY_JOBS } from './delivery-job.ts';
import { SignalledHandOvers } from './hand-overs.ts';
import type { JobKind } from './job-kind.ts';
import { joinWrites } from './join-writes.ts';
import { BullJobQueue } from './job-queue.ts';
import { BullTurnQueues } from './turn-queues.ts';
import { TURN_JOBS } from './turn-job.ts';
import { settlesWithin, withTimeout } from './with-timeout.ts';

/** How long a worker's blocking read waits for a job, in seconds. The connection is silent for this long. */
const BLOCK_SECONDS = 2;
const CLOSE_LIMIT_MS = 2_000;
/** How long the key that `ping` writes is kept. */
const WRITTEN_MS = 60_000;

export interface RedisBackplaneParts {
  url: string;
  prefix: string;
  settings: RedisSettings;
  lockMs: number;
  deafAfterMs: number;
  onError: (error: Error) => void;
  onUnusable: (error: Error) => void;
}

/**
 * The backplane on Redis, for production: BullMQ for the queues, Pub/Sub for signals. Does not wait for a server that
 * is away. Each process has one connection for requests and one to listen on, and two more for each queue that it
 * consumes.
 */
export async function openRedisBackplane(parts: RedisBackplaneParts): Promise<Backplane> {
  const prefix = hashTagged(parts.prefix);
  const writtenKey = `${prefix}:written`;
  const access = await redisAccess(parts.url, parts.settings, writtenKey);
  let isOpen = false;
  const onError = (error: unknown): void => {
    if (!(error instanceof UnsupportedRedisError)) parts.onError(plainError(error));
    else if (isOpen) parts.onUnusable(error);
  };
  const { client, disconnect } = connectRedis(
    access,
    { maxRetriesPerRequest: 1 },
    onError,
    () => signals.reconnect(),
    // A node that became a replica responds to PING; it says MOVED where a key is named.
    (itself) => (access.mayMove ? itself.exists(writtenKey) : itself.ping()),
  );
  try {
    await refuseUnsupportedRedis(client, access.mayMove);
  } catch (error) {
    disconnect();
    throw error;
  }
  isOpen = true;
  const look = (): void => {
    checkRedisServer(client, access.mayMove, onError).catch(onError);
  };
  client.on('ready', look);
  if (client.status === 'ready') look();

  const openQueue = <Job>(kind: JobKind<Job>): BullJobQueue<Job> => {
    const bullQueue = new Queue(kind.queue, {
      connection: client,
      prefix,
      // Without these, opening a queue makes requests, and a queue whose opening failed while
      // the server was away never works again.
      skipWaitingForReady: true,
      skipVersionCheck: true,
      skipMetasUpdate: true,
    });
    bullQueue.on('error', onError);
    return new BullJobQueue({
      kind,
      queue: bullQueue,
      ready: (limit) => untilReady(client, limit),
      findAlive: (jobIds) => findAliveJobs(client, (id) => bullQueue.toKey(id), jobIds),
      makeWorker: workerMaker(kind.queue, access, prefix, parts.lockMs),
      deafAfterMs: parts.deafAfterMs,
    });
  };
  const queue = new BullTurnQueues(openQueue(TURN_JOBS), openQueue);
  const deliveries = openQueue(DELIVERY_JOBS);
  const signals = new RedisSignals({
    access,
    publisher: client,
    prefix: `${prefix}:${client.options.db ?? 0}:signals:`,
    onError,
  });
  const changeBucket = redisBuckets(client, `${prefix}:retry-budget:`);
  const retryBudget = new SharedRetryBudget((key, deposit, take) =>
    withTimeout('asking the retry budget', async (limit) => {
      await untilReady(client, limit);
      return changeBucket(key, deposit, take);
    }),
  );
  const spendRequests = redisRequestRate(client, `${prefix}:request-rate:`);
  const live = new RedisLive({ client, signals, keyPrefix: `${prefix}:live:`, onError });
  const handOvers = new SignalledHandOvers({
    send: (channel, signal) => signals.send(channel, signal),
    subscribe: (channel, listener) => signals.subscribe(channel, listener),
    onError,
  });
  return {
    driver: 'redis',
    live,
    handOvers,
    retryBudget,
    spendRequests: (key, count, rate) =>
      withTimeout('counting requests', async (limit) => {
        await untilReady(client, limit);
        return spendRequests(key, count, rate);
      }),
    deliveries,
    enqueue: (jobs) => queue.enqueue(jobs),
    missing: (jobs) => queue.missing(jobs),
    consume: (options, name) => queue.consume(options, name),
    publish: (channel, signal) => signals.publish(channel, signal),
    subscribe: (channel, listener) => signals.subscribe(channel, listener),
    onReconnect: (listener) => signals.onReconnect(listener),
    async ping() {
      await withTimeout('ping', (limit) => untilReady(client, limit));
      // A replica, a full server and one whose disk failed still respond to PING, but refuse writes.
      await withTimeout('a write', () => client.set(writtenKey, '1', 'PX', WRITTEN_MS)).catch(
        (error: unknown) => {
          if (!(error instanceof BackplaneUnavailableError && error.cause instanceof Error)) throw error;
          throw new BackplaneUnavailableError(`a write (${error.cause.message})`, error.cause);
        },
      );
    },
    depth: () => queue.depth(),
    async close() {
      retryBudget.close();
      live.close();
      handOvers.close();
      await settlesWithin(Promise.all([queue.close(), deliveries.close()]), 3 * CLOSE_LIMIT_MS);
      signals.close();
      disconnect();
    },
  };
}

function workerMaker(queue: string, access: RedisAccess, prefix: string, lockMs: number): MakeWorker {
  const connection = {
    ...reconnecting(access),
    url: access.url,
    // A worker waits for its server without a limit.
    maxRetriesPerRequest: null,
    socketTimeout: BLOCK_SECONDS * 1_000 + SILENCE_MS,
  };
  return (process, concurrency) => {
    const worker = new PatientWorker(queue, process, {
      connection,
      prefix,
      concurrency,
      drainDelay: BLOCK_SECONDS,
      runRetryDelay: 1_000,
      skipVersionCheck: true,
      ...STALLED_JOBS,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      ...KEEP_NOTHING,
    });
    // A connection that is never made is reported by the worker.
    void worker.getBackend().client.then(
      (client: unknown) => client instanceof Redis && joinWrites(client),
      () => undefined,
    );
    return worker;
  };
}

/** In BullMQ's keys: a job is a hash, a received one has `processedOn`, and the process that runs it has a lock key. */
async function findAliveJobs(
  client: Redis,
  toKey: (jobId: string) => string,
  jobIds: readonly string[],
): Promise<Set<string>> {
  const pipeline = client.pipeline();
  for (const id of jobIds) {
    pipeline.hmget(toKey(id), 'timestamp', 'processedOn');
    pipeline.exists(`${toKey(id)}:lock`);
  }
  const replies = (await pipeline.exec()) ?? [];
  const alive = jobIds.filter((_, index) => {
    const [jobError, job] = replies[2 * index] ?? [];
    const [lockError, locked] = replies[2 * index + 1] ?? [];
    if (jobError || lockError) throw jobError ?? lockError;
    const [timestamp, processedOn] = job as [string | null, string | null];
    return timestamp !== null && (processedOn === null || locked === 1);
  });
  return new Set(alive);
}
