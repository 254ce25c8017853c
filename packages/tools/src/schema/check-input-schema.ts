import type { InputSchema } from '@turnpike/contract';
import { compileSchema, prepareDraft, SchemaError } from './compile-schema.ts';
import { TimeShares } from './time-shares.ts';

/**
 * What is wrong with a tool's `input_schema`, in words for whoever wrote it; null where it can be used.
 * A schema that refers to itself without end, or that takes too long to read, is one that cannot.
 */
export function checkInputSchema(schema: InputSchema): string | null {
  prepareDraft();
  try {
    const shares = new TimeShares();
    const validate = shares.run('compile', () => compileSchema(schema));
    shares.run('validate', () => validate({}));
    return null;
  } catch (error) {
    if (error instanceof SchemaError) return `is not a JSON Schema (draft 2020-12): ${error.message}`;
    return 'is not a JSON Schema that can be used: to check an input with it never ends, or takes too long';
  }
}
