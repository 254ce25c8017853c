import { createHash } from 'node:crypto';
import type { InputSchema } from '@turnpike/contract';
import { LRUCache } from 'lru-cache';
import type { CheckResult, CheckTask } from './check-input.ts';
import { FairSlots, TooManyWaitingError } from './fair-slots.ts';
import { MAX_SCHEMA_CHARACTERS } from './schema-limits.ts';
import { SchemaThreads, type Task, type ThreadWork } from './schema-threads.ts';
import { TimeShares } from './time-shares.ts';

const THREADS = 2;
/* Milliseconds that a thread works, whatever else the machine does meanwhile. */
/** For one check. */
const LONGEST_MS = 500;
/** An ordinary check of a good schema takes less. */
const LEAST_MS = 50;
/** What a tenant may use at once. */
const SHARE_MS = 2_000;
/** Of the time, for one tenant: the threads work beside everything else on the same processors. */
const SHARE_OF_TIME = 0.25;
const LONGEST_REST_MS = 1_000;
/** For each tenant. */
const MOST_WAITING = 1_000;
/** Schemas, each of one tenant, whose check was stopped: they are not tried again for this time. */
const MOST_STOPPED = 10_000;
const STOPPED_FOR_MS = 10 * 60_000;

type Verdict = CheckResult | { type: 'too_long' } | { type: 'busy' } | { type: 'failed' };

/**
 * Checks tenants' schemas, and inputs against them, in worker threads, off the event loop. Each tenant has a share of
 * the threads' time, and a schema whose check was stopped is not tried again for a while.
 */
export class InputSchemas {
  readonly #threads = new SchemaThreads(THREADS);
  readonly #slots = new FairSlots(THREADS, MOST_WAITING);
  readonly #shares: TimeShares;
  readonly #stopped = new LRUCache<string, true>({ max: MOST_STOPPED, ttl: STOPPED_FOR_MS });
  /** A call's schema is needed when the call is planned and again when it is made. */
  readonly #prepared = new WeakMap<object, PreparedSchema>();
  readonly #onError: (error: unknown) => void;

  /** `onError` receives failures of the check itself, which are no fault of a schema. `shareMs`: of a tenant, at once. */
  constructor(onError: (error: unknown) => void, { shareMs = SHARE_MS }: { shareMs?: number } = {}) {
    this.#onError = onError;
    this.#shares = new TimeShares(shareMs);
  }

  /**
   * Why a tool's `input_schema` cannot be used, in words for its author; null if it can. A schema whose check never
   * ends, or takes too long, cannot be used.
   */
  async fault(tenantId: string, schema: InputSchema): Promise<string | null> {
    const verdict = await this.#check(tenantId, schema, {});
    switch (verdict.type) {
      case 'fits':
      case 'misfit':
        return null;
      case 'invalid_schema':
        return `is not a JSON Schema (draft 2020-12): ${verdict.reason}`;
      case 'too_large':
        return `is not a JSON Schema that can be used: ${verdict.reason}`;
      case 'too_deep':
      case 'too_long':
        return 'is not a JSON Schema that can be used: checking an input with it never ends, or takes too long';
      case 'failed':
        return 'cannot be checked now';
      case 'busy':
        return 'cannot be checked now: too many schemas of this tenant wait for it';
      default:
        return verdict satisfies never;
    }
  }

  /**
   * What is wrong with each schema by the draft, which the Messages API wants its tools to follow; null for one with
   * which nothing is. Null for all where that takes too long, or cannot be found out now.
   */
  async draftFaults(tenantId: string, schemas: readonly object[]): Promise<(string | null)[] | null> {
    if (schemas.length === 0) return [];
    const prepared = schemas.map(prepareSchema);
    const texts = prepared.map((schema) => ('text' in schema ? schema.text : '{}'));
    try {
      const { result } = await this.#slots.run(tenantId, (restFor) =>
        this.#useThread(tenantId, { schemas: texts }, restFor),
      );
      return result?.map((fault, place) => reasonIn(prepared[place]) ?? fault) ?? null;
    } catch (error) {
      if (!(error instanceof TooManyWaitingError)) this.#onError(error);
      return null;
    }
  }

  /**
   * Null if the input is valid; else the reasons, as the model is told. The model is also told of a schema that cannot
   * be used: that is the tool's mistake, and does not end the turn.
   */
  explain(tenantId: string, schema: InputSchema, input: unknown): Promise<string | null> {
    return this.#explain(tenantId, schema, input, 'input');
  }

  /** As `explain`, of a turn's output. */
  explainOutput(tenantId: string, schema: InputSchema, output: unknown): Promise<string | null> {
    return this.#explain(tenantId, schema, output, 'output');
  }

  async #explain(
    tenantId: string,
    schema: InputSchema,
    value: unknown,
    subject: Subject,
  ): Promise<string | null> {
    const verdict = await this.#check(tenantId, schema, value, subject);
    const notChecked = NOT_CHECKED[subject];
    switch (verdict.type) {
      case 'fits':
        return null;
      case 'misfit':
        return verdict.explanation;
      case 'invalid_schema':
        return `${notChecked} Its schema is not valid: ${verdict.reason}.`;
      case 'too_large':
        return `${notChecked} Its schema is too large: ${verdict.reason}.`;
      case 'too_deep':
        return `${notChecked} It is nested too deeply, or its schema is.`;
      case 'too_long':
        return `${notChecked} To check it takes too long.`;
      case 'failed':
        return notChecked;
      case 'busy':
        return `${notChecked} Too many wait to be checked.`;
      default:
        return verdict satisfies never;
    }
  }

  /** What is wrong with any JSON value by this schema; null where nothing is, and where that cannot be checked now. */
  async misfit(tenantId: string, schema: Record<string, unknown>, value: unknown): Promise<string | null> {
    const verdict = await this.#check(tenantId, schema, value);
    return verdict.type === 'misfit' ? verdict.explanation : null;
  }

  close(): Promise<void> {
    return this.#threads.close();
  }

  async #check(
    tenantId: string,
    schema: Record<string, unknown>,
    value: unknown,
    subject: Subject = 'input',
  ): Promise<Verdict> {
    const prepared = this.#prepared.get(schema) ?? prepareSchema(schema);
    this.#prepared.set(schema, prepared);
    if ('reason' in prepared) return { type: 'too_large', reason: prepared.reason };
    const input = jsonOf(value);
    if (input === null) return { type: 'too_deep' };
    const { text, hash } = prepared;
    // The tenant is part of the key: a tenant whose inputs get a schema stopped stops it for no other tenant.
    const key = `${tenantId} ${hash}`;
    if (this.#stopped.has(key)) return { type: 'too_long' };
    try {
      return await this.#slots.run(tenantId, (restFor) =>
        this.#checkNow({ tenantId, key, schema: text, input, subject, restFor }),
      );
    } catch (error) {
      if (error instanceof TooManyWaitingError) return { type: 'busy' };
      this.#onError(error);
      return { type: 'failed' };
    }
  }

  /** It may have waited, and the checks before it in the queue may have stopped the schema or used up the time. */
  async #checkNow(check: QueuedCheck): Promise<Verdict> {
    const { tenantId, key, schema, input, subject } = check;
    if (this.#stopped.has(key)) return { type: 'too_long' };
    const { result, wasStopped } = await this.#useThread(tenantId, { schema, input, subject }, check.restFor);
    if (wasStopped) this.#stopped.set(key, true);
    return result ?? { type: 'too_long' };
  }

  /** Within the tenant's share of time. `result` is null where it has none left, and where the check was stopped. */
  async #useThread<Given extends Task>(
    tenantId: string,
    task: Given,
    restFor: (ms: number) => void,
  ): Promise<{ result: ThreadWork<Given>['result']; wasStopped: boolean }> {
    const leftMs = this.#shares.leftMs(tenantId);
    if (leftMs < LEAST_MS) return { result: null, wasStopped: false };
    const { result, usedMs } = await this.#threads.run(task, Math.min(leftMs, LONGEST_MS));
    this.#shares.spend(tenantId, usedMs);
    restFor(Math.min(LONGEST_REST_MS, usedMs * (1 / SHARE_OF_TIME - 1)));
    return { result, wasStopped: result === null };
  }
}

/** What is checked. */
type Subject = CheckTask['subject'];

interface QueuedCheck {
  tenantId: string;
  /** Of `#stopped`. */
  key: string;
  /** JSON texts. */
  schema: string;
  input: string;
  subject: Subject;
  restFor(ms: number): void;
}

/** Why it cannot be used; else its JSON text and the hash of that. */
type PreparedSchema = { reason: string } | { text: string; hash: string };

function prepareSchema(schema: object): PreparedSchema {
  const text = jsonOf(schema);
  if (text === null) return { reason: 'it is nested too deeply' };
  if (text.length > MAX_SCHEMA_CHARACTERS) {
    return { reason: `it has ${text.length} characters of JSON, and may have ${MAX_SCHEMA_CHARACTERS}` };
  }
  return { text, hash: createHash('sha256').update(text).digest('base64') };
}

function reasonIn(prepared: PreparedSchema | undefined): string | null {
  return prepared !== undefined && 'reason' in prepared ? prepared.reason : null;
}

/** Null for a value that is nested too deeply to be serialized. */
function jsonOf(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const NOT_CHECKED: Record<Subject, string> = {
  input: 'The input of this tool cannot be checked, so nothing was done.',
  output: 'The output cannot be checked.',
};
