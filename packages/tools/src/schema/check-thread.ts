import { createHash } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { compileSchema, prepareDraft, SchemaError } from './compile-schema.ts';
import { explainErrors } from './explain-errors.ts';

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
  /** Nested too deeply, the one or the other. */
  | { type: 'too_deep' };

const MOST_SCHEMAS = 500;
/** Characters of JSON of all schemas whose validators are kept. */
const MOST_CHARACTERS = 5_000_000;
const validators = new LRUCache<string, ValidateFunction>({ max: MOST_SCHEMAS, maxSize: MOST_CHARACTERS });

prepareDraft();

/** Runs in a worker thread, which is ended where this takes too long. */
export default function check({ schema, input, begun }: CheckTask): CheckResult {
  begun.postMessage(null);
  begun.close();
  try {
    const validate = validatorOf(schema);
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

function validatorOf(schema: string): ValidateFunction {
  const key = createHash('sha256').update(schema).digest('base64');
  const known = validators.get(key);
  if (known !== undefined) return known;
  const validate = compileSchema(JSON.parse(schema));
  validators.set(key, validate, { size: schema.length });
  return validate;
}
