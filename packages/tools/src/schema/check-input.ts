import { createHash } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import type { InputSchema } from '@turnpike/contract';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { checkKeywords, compileSchema, prepareDraft, SchemaError } from './compile-schema.ts';
import { explainErrors } from './explain-errors.ts';
import { exceededLimit } from './schema-limits.ts';
import { ownThreadId } from './thread-time.ts';

/** One check, for a thread of `SchemaThreads`. */
export interface CheckTask {
  /** JSON texts. */
  schema: string;
  input: string;
  /** What the explanation calls it. */
  subject: 'input' | 'output';
  /** Gets the thread's id, or null, when the check begins: its time is counted from then on. */
  begun: MessagePort;
}

/** A check of schemas by the draft alone, which takes far less time than to compile them. */
export interface DraftTask {
  /** JSON texts. */
  schemas: readonly string[];
  begun: MessagePort;
}

export type CheckResult =
  | { type: 'fits' }
  | { type: 'misfit'; explanation: string }
  | { type: 'invalid_schema'; reason: string }
  /** Exceeds a limit, so it was not compiled. */
  | { type: 'too_large'; reason: string }
  /** The schema or the input is nested too deeply. */
  | { type: 'too_deep' };

const MOST_SCHEMAS = 500;
/** Characters of JSON of all schemas whose validators are cached. */
const MOST_CHARACTERS = 5_000_000;
const validators = new LRUCache<string, ValidateFunction>({ max: MOST_SCHEMAS, maxSize: MOST_CHARACTERS });

const THREAD_ID = ownThreadId();

prepareDraft();

/** Runs in a worker thread, which is terminated if this takes too long. */
export function check(task: CheckTask): CheckResult;
export function check(task: DraftTask): (string | null)[];
export function check(task: CheckTask | DraftTask): CheckResult | (string | null)[] {
  task.begun.postMessage(THREAD_ID);
  task.begun.close();
  return 'schemas' in task ? task.schemas.map(faultByDraft) : checkInput(task);
}

/** What is wrong with a schema; null for one of the draft that is not too large. */
function faultByDraft(text: string): string | null {
  try {
    const schema: InputSchema = JSON.parse(text);
    const exceeded = exceededLimit(schema);
    if (exceeded === null) checkKeywords({ ...schema, $schema: undefined });
    return exceeded;
  } catch (error) {
    if (error instanceof SchemaError) return error.message;
    if (error instanceof RangeError) return 'it is nested too deeply';
    throw error;
  }
}

function checkInput({ schema, input, subject }: CheckTask): CheckResult {
  try {
    const validate = validatorOf(schema);
    if (typeof validate === 'string') return { type: 'too_large', reason: validate };
    const value: unknown = JSON.parse(input);
    return validate(value)
      ? { type: 'fits' }
      : { type: 'misfit', explanation: explainErrors(validate.errors ?? [], subject) };
  } catch (error) {
    if (error instanceof SchemaError) return { type: 'invalid_schema', reason: error.message };
    if (error instanceof RangeError) return { type: 'too_deep' };
    throw error;
  }
}

/** The compiled schema, or the limit that it exceeds. */
function validatorOf(text: string): ValidateFunction | string {
  const key = createHash('sha256').update(text).digest('base64');
  const known = validators.get(key);
  if (known !== undefined) return known;
  const schema: InputSchema = JSON.parse(text);
  const exceeded = exceededLimit(schema);
  if (exceeded !== null) return exceeded;
  const validate = compileSchema(schema);
  validators.set(key, validate, { size: text.length });
  return validate;
}
