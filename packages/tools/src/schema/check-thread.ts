import { createHash } from 'node:crypto';
import { setPriority } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import type { InputSchema } from '@turnpike/contract';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { compileSchema, prepareDraft, SchemaError } from './compile-schema.ts';
import { explainErrors } from './explain-errors.ts';
import { exceededLimit } from './schema-limits.ts';

/** What a thread of `SchemaThreads` is asked. */
export interface CheckTask {
  /** JSON texts. */
  schema: string;
  input: string;
  /** Is told when the work begins: what came before is no part of its time. */
  begun: MessagePort;
}

export type CheckResult =
  | { type: 'fits' }
  | { type: 'misfit'; explanation: string }
  | { type: 'invalid_schema'; reason: string }
  /** Larger than a schema may be, so that it was not compiled. */
  | { type: 'too_large'; reason: string }
  /** Nested too deeply, the one or the other. */
  | { type: 'too_deep' };

const MOST_SCHEMAS = 500;
/** Characters of JSON of all schemas whose validators are kept. */
const MOST_CHARACTERS = 5_000_000;
const validators = new LRUCache<string, ValidateFunction>({ max: MOST_SCHEMAS, maxSize: MOST_CHARACTERS });

/** Lower than the process's other threads, yet not so low that a busy machine stops an ordinary check. */
const NICENESS = 10;
// On Linux this sets the priority of the calling thread alone; elsewhere it would be that of the whole process.
if (process.platform === 'linux') setPriority(NICENESS);

prepareDraft();

/** Runs in a worker thread, which is ended where this takes too long. */
export default function check({ schema, input, begun }: CheckTask): CheckResult {
  begun.postMessage(null);
  begun.close();
  try {
    const validate = validatorOf(schema);
    if (typeof validate === 'string') return { type: 'too_large', reason: validate };
    const value: unknown = JSON.parse(input);
    return validate(value)
      ? { type: 'fits' }
      : { type: 'misfit', explanation: explainErrors(validate.errors ?? []) };
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
