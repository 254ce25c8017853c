import { createPostgresBackend, withBackend } from 'bullmq';
import type { Backplane } from './backplane.ts';
import { postgresRequestRate } from './postgres-request-rate.ts';
import { postgresBuckets } from './postgres-retry-budget.ts';
import { PostgresLive } from './postgres-live.ts';
import { PostgresSignals } from './postgres-signals.ts';
import { preparePostgresSchema } from './postgres-schema.ts';
import { readPostgresTarget } from './postgres-target.ts';
import { BackplaneUnavailableError, plainError } from './errors.ts';
import { PatientWorker } from './patient-worker.ts';
import { KEEP_NOTHING, STALLED_JOBS } from './queue-worker.ts';
import { DELIVERY_JOBS } from './delivery-job.ts';
import { NO_HAND_OVERS } from './hand-overs.ts';
import type { JobKind } from './job-kind.ts';
import { BullJobQueue, type BullQueue } from './job-queue.ts';
import { BullTurnQueues } from './turn-queues.ts';
import { TURN_JOBS } from './turn-job.ts';
import { SharedRetryBudget, type ChangeBucket } from './retry-budget.ts';
import type { SpendRequests } from './request-rate.ts';
import { settlesWithin, withTimeout } from './with-timeout.ts';

const PREPARE_LIMIT_MS = 15_000;
const CLOSE_LIMIT_MS = 2_000;
/** How long a worker waits for a notification before it polls, in seconds. */
const BLOCK_SECONDS = 2;

export interface PostgresBackplaneParts {
  url: string;
  lockMs: number;
  deafAfterMs: number;
  onError: (error: Error) => void;
}

/**
 * The backplane on Postgres, for a machine without Redis: BullMQ's own Postgres backend for the queues and its relay
 * for signals, both in a separate schema. At most thirteen connections per process: two for requests to each queue,
 * to each worker and to the relay, and one more for each worker and the relay to listen on. One more for each queue of
 * turns beside `turns` that this process adds jobs to.
 */
export async function openPostgresBackplane(parts: PostgresBackplaneParts): Promise<Backplane> {
  const { lockMs } = parts;
  const onError = (error: unknown): void => parts.onError(plainError(error));
  const target = readPostgresTarget(parts.url);
  await preparePostgresSchema(target, PREPARE_LIMIT_MS);

  const connection = {
    ...target,
    max: 2,
    connectionTimeoutMillis: 2_000,
    // A connection without a response is dead, even if it looks open, and is replaced.
    query_timeout: 5_000,
    keepAlive: true,
  };
  const { Queue } = withBackend(createPostgresBackend);
  const openBullQueue = (name: string, max = 2) => {
    const bullQueue = new Queue(name, {
      connection: { ...connection, max },
      streams: { events: { maxLen: 1_000 } },
    });
    bullQueue.on('error', onError);
    return bullQueue;
  };
  const bullQueues = [openBullQueue(TURN_JOBS.queue), openBullQueue(DELIVERY_JOBS.queue)] as const;
  const { pool } = bullQueues[0].getBackend().connection;
  const ping = async (): Promise<void> => {
    const { rows } = await withTimeout('ping', () => pool.query<{ is_read_only: boolean }>(IS_READ_ONLY));
    if (rows[0]?.is_read_only === true) throw new BackplaneUnavailableError('its database refuses writes');
  };
  const signals = new PostgresSignals({ connection, ping, onError });
  const makeQueue = <Job>(kind: JobKind<Job>, bullQueue: BullQueue): BullJobQueue<Job> =>
    new BullJobQueue({
      kind,
      queue: bullQueue,
      ready: () => Promise.resolve(),
      async findAlive(jobIds) {
        const { rows } = await pool.query<{ id: string }>(FIND_ALIVE, [kind.queue, jobIds, Date.now()]);
        return new Set(rows.map(({ id }) => id));
      },
      makeWorker: (process, concurrency) =>
        new PatientWorker(
          kind.queue,
          process,
          {
            connection,
            concurrency,
            drainDelay: BLOCK_SECONDS,
            runRetryDelay: 1_000,
            ...STALLED_JOBS,
            lockDuration: lockMs,
            stalledInterval: lockMs,
            ...KEEP_NOTHING,
          },
          createPostgresBackend,
        ),
      deafAfterMs: parts.deafAfterMs,
    });
  const queue = new BullTurnQueues(makeQueue(TURN_JOBS, bullQueues[0]), (kind) =>
    makeQueue(kind, openBullQueue(kind.queue, 1)),
  );
  const deliveries = makeQueue(DELIVERY_JOBS, bullQueues[1]);
  let changeBucket: ChangeBucket | undefined;
  const retryBudget = new SharedRetryBudget((key, deposit, take) =>
    withTimeout('asking the retry budget', async () => {
      changeBucket ??= await postgresBuckets(pool);
      return changeBucket(key, deposit, take);
    }),
  );
  let requestRate: SpendRequests | undefined;
  const spendRequests: SpendRequests = (key, count, rate) =>
    withTimeout('counting requests', async () => {
      requestRate ??= await postgresRequestRate(pool);
      return requestRate(key, count, rate);
    });
  const live = new PostgresLive({ pool, signals, onError });
  const close = async (): Promise<void> => {
    retryBudget.close();
    live.close();
    await Promise.all([
      settlesWithin(queue.close(), 3 * CLOSE_LIMIT_MS),
      settlesWithin(deliveries.close(), 3 * CLOSE_LIMIT_MS),
      settlesWithin(signals.close(), CLOSE_LIMIT_MS),
    ]);
  };
  try {
    await withTimeout(
      'opening the queues',
      () => Promise.all(bullQueues.map((bullQueue) => bullQueue.waitUntilReady())),
      PREPARE_LIMIT_MS,
    );
    await signals.ready(PREPARE_LIMIT_MS);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    driver: 'postgres',
    live,
    // To notify costs a commit, as a job does.
    handOvers: NO_HAND_OVERS,
    retryBudget,
    spendRequests,
    deliveries,
    enqueue: (jobs) => queue.enqueue(jobs),
    missing: (jobs) => queue.missing(jobs),
    consume: (options, name) => queue.consume(options, name),
    publish: (channel, signal) => signals.publish(channel, signal),
    subscribe: (channel, listener) => signals.subscribe(channel, listener),
    onReconnect: (listener) => signals.onReconnect(listener),
    ping,
    depth: () => queue.depth(),
    close,
  };
}

const IS_READ_ONLY = `
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS is_read_only`;

/* BullMQ's table: the process that runs a job renews its lock, by its own clock. */
const FIND_ALIVE = `
SELECT id FROM job
WHERE queue = $1 AND id = ANY($2::text[])
  AND (state IN ('waiting', 'delayed') OR (state = 'active' AND locked_until_ms > $3))`;
