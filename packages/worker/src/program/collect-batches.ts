import type { GuardedModel } from '@turnpike/model';
import {
  beginModelBatch,
  deleteBatchedCall,
  endModelBatch,
  findCallsToBatch,
  findKnownBatches,
  hasBatchedCall,
  lookForBatches,
  openModelBatch,
  pruneBatchedCalls,
  pruneModelBatches,
  readUnusedCalls,
  recordPartialUsage,
  refuseModelBatch,
  storeBatchResults,
  takeDueBatches,
  undoModelBatch,
  wakeBatchedTurns,
  type Database,
  type DueBatch,
  type OpenedBatch,
} from '@turnpike/store';
import type { Logger, Metrics } from '@turnpike/telemetry';
import type { Dispatcher } from '@turnpike/turns';

export interface BatchSettings {
  /** How long a call waits for others to share its batch. Milliseconds, as all times here. */
  windowMs: number;
  /** The most calls of a batch. */
  most: number;
  /** Time between two looks at a batch. */
  pollMs: number;
  /** A submission that has not ended by then is looked for at the model API. */
  submitMs: number;
}

/** Of all requests of one batch, and of the results that are stored in one statement. */
const MOST_BYTES = 16_000_000;
const GROUPS = 20;
const BATCHES = 10;
/** Results that are stored in one statement, at most. */
const RESULTS = 100;
const TURNS = 500;
const CALLS = 100;
/** Shares of `submitMs`: a submission begins before the first, and has ended after both. */
const BEGINS = 0.3;
const LASTS = 0.6;
/** The model API ends a batch after a day. One that cannot be asked for after two, such as with a key that is gone, holds budget in vain. */
const LONGEST_MS = 2 * 24 * 60 * 60 * 1000;
/** The clocks of the model API and of the database may differ so much. */
const CLOCKS_MS = 600_000;

export interface CollectorParts {
  database: Database;
  model: GuardedModel;
  dispatcher: Dispatcher;
  logger: Logger;
  /** Submissions, by how they ended. */
  batches: ReturnType<Metrics['counter']>;
}

class TooLateError extends Error {}

/**
 * Collects calls into batches of the model API, and the results of those. Any number of processes may run passes at
 * once: each batch is submitted and asked for by one of them at a time, and each step of it is committed before the
 * next, so that another goes on where one died (decision 20).
 */
export class BatchCollector {
  readonly #parts: CollectorParts;
  readonly #settings: BatchSettings;

  constructor(parts: CollectorParts, settings: BatchSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  async pass(): Promise<void> {
    if (!(await lookForBatches(this.#parts.database.pool))) return;
    await this.#submitAll();
    await this.#askAll();
    await this.#wake();
    await this.#settle();
  }

  async #submitAll(): Promise<void> {
    const { database } = this.#parts;
    const { windowMs, most, submitMs } = this.#settings;
    for (const group of await findCallsToBatch(database.pool, { windowMs, most, limit: GROUPS })) {
      const began = performance.now();
      const opened = await openModelBatch(database.pool, group, {
        most,
        mostBytes: MOST_BYTES,
        submitMs,
      });
      if (opened !== null) await this.#submit(opened, began);
    }
  }

  async #submit({ id, tenantId, route, calls }: OpenedBatch, began: number): Promise<void> {
    const { database, model, logger, batches } = this.#parts;
    const { submitMs, pollMs } = this.#settings;
    const beforeSend = (): void => {
      // The timers of a process that was frozen are late, and by now another may look for this batch.
      if (performance.now() - began > submitMs * BEGINS) throw new TooLateError();
    };
    const fields = { batch: id, tenant_id: tenantId, calls: calls.length };
    try {
      const limitMs = submitMs * LASTS;
      const submitted = await model.batches.submit(tenantId, route, calls, { limitMs, beforeSend });
      batches.inc({ outcome: submitted.status });
      if (submitted.status === 'accepted') {
        await beginModelBatch(database.pool, id, submitted.providerId, pollMs);
        logger.debug('A batch of model calls was submitted.', fields);
        return;
      }
      const { code, message } = submitted;
      logger.warn('A batch of model calls was not accepted.', {
        ...fields,
        outcome: submitted.status,
        code,
        reason: message,
      });
      if (submitted.status === 'refused') await refuseModelBatch(database.pool, id);
      if (submitted.status === 'not_sent') await undoModelBatch(database.pool, id, submitted.waitMs);
    } catch (error) {
      if (error instanceof TooLateError) await undoModelBatch(database.pool, id, 0);
      else logger.warn('A batch of model calls could not be submitted.', { ...fields, error });
    }
  }

  async #askAll(): Promise<void> {
    const { database, logger } = this.#parts;
    const due = await takeDueBatches(database.pool, BATCHES, this.#settings.pollMs);
    const ask = async (batch: DueBatch): Promise<void> => {
      try {
        if (batch.providerId === null) await this.#look(batch);
        else await this.#read(batch, batch.providerId);
      } catch (error) {
        const fields = { batch: batch.id, tenant_id: batch.tenantId, error };
        if (Date.now() - batch.createdAt < LONGEST_MS) {
          logger.warn('A batch of model calls could not be asked for; it is tried again.', fields);
          return;
        }
        logger.error('A batch of model calls was given up: what it cost is not in the ledger.', fields);
        await endModelBatch(database.pool, batch.id);
      }
    };
    // Beside each other: one endpoint that is slow must not keep the batches of others waiting.
    await Promise.all(due.map(ask));
  }

  /**
   * Looks for a batch whose submission nobody knows the end of, before its calls are submitted again. The API lists no ids
   * of calls, so a batch that has as many requests is waited for: its results say whose it is.
   */
  async #look({ id, tenantId, route, requests, createdAt }: DueBatch): Promise<void> {
    const { database, model, logger, batches } = this.#parts;
    const listed = await model.batches.list(tenantId, route, createdAt - CLOCKS_MS);
    const alike = listed.filter((batch) => batch.requests === requests);
    const known = await findKnownBatches(
      database.pool,
      alike.map(({ providerId }) => providerId),
    );
    let waits = false;
    for (const { providerId, ended } of alike) {
      if (known.has(providerId)) continue;
      waits ||= !ended;
      if (!ended) continue;
      const results = model.batches.results(tenantId, route, providerId);
      const first = await results.next();
      await results.return(undefined);
      if (first.done === true || !(await hasBatchedCall(database.pool, id, first.value.callId))) continue;
      logger.info('A batch whose submission was interrupted was found.', { batch: id, tenant_id: tenantId });
      batches.inc({ outcome: 'found' });
      await beginModelBatch(database.pool, id, providerId, 0);
      return;
    }
    if (!waits) await undoModelBatch(database.pool, id, 0);
  }

  async #read({ id, tenantId, route }: DueBatch, providerId: string): Promise<void> {
    const { database, model } = this.#parts;
    const batch = await model.batches.read(tenantId, route, providerId);
    if (batch !== null && !batch.ended) return;
    if (batch !== null) {
      let group: { callId: string; result: string }[] = [];
      let bytes = 0;
      const store = async (): Promise<void> => {
        if (group.length > 0) await storeBatchResults(database.pool, id, group);
        group = [];
        bytes = 0;
      };
      for await (const result of model.batches.results(tenantId, route, providerId)) {
        group.push(result);
        bytes += Buffer.byteLength(result.result);
        if (group.length >= RESULTS || bytes >= MOST_BYTES) await store();
      }
      await store();
    }
    await endModelBatch(database.pool, id);
  }

  async #wake(): Promise<void> {
    const { database, dispatcher } = this.#parts;
    for (;;) {
      const { tenantIds, turns } = await wakeBatchedTurns(database.pool, TURNS);
      for (const tenantId of tenantIds) dispatcher.changed({ tenantId });
      if (turns < TURNS) return;
    }
  }

  /** Calls that are done with: those that became no step are in the ledger first. */
  async #settle(): Promise<void> {
    const { database, model } = this.#parts;
    const { pool } = database;
    for (const { id, result, priced, turnId, ...turn } of await readUnusedCalls(pool, CALLS)) {
      const response = result === null ? null : model.batches.response(result, priced);
      if (response !== null) await recordPartialUsage(pool, { ...turn, id: turnId }, { id, ...response });
      await deleteBatchedCall(pool, id);
    }
    while ((await pruneBatchedCalls(pool, TURNS)) >= TURNS);
    await pruneModelBatches(pool, CALLS);
  }
}
