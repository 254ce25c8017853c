import type { InputSchema } from '@turnpike/contract';
import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { linearPattern } from './linear-pattern.ts';

/** A schema that cannot be used; the message says why, for whoever wrote it. */
export class SchemaError extends Error {}

/**
 * A validator for a JSON Schema (draft 2020-12). Lax where schemas in the wild are: unknown keywords and
 * formats mean nothing, `$schema` may name an older draft, a pattern need not be a Unicode one. Nothing
 * is ever fetched, so a `$ref` reaches only into the schema itself.
 *
 * Each schema has a compiler of its own, since Ajv keeps what it has seen: an `$id` of one tenant must
 * not be another's to refer to.
 * Throws `SchemaError`.
 */
export function compileSchema(schema: InputSchema): ValidateFunction {
  const { $schema: _, ...rest } = schema;
  // Ajv takes the asynchronous keyword for its own: the validator would answer with a promise.
  if ('$async' in rest) throw new SchemaError('$async cannot be used');
  checkKeywords(rest);
  const compiler = new Ajv2020({ ...OPTIONS, meta: false, validateSchema: false });
  // Ajv-formats is CommonJS: its default export is its `default`.
  addFormats.default(compiler);
  try {
    return compiler.compile(rest);
  } catch (error) {
    throw new SchemaError(reasonOf(error));
  }
}

const OPTIONS: Options = {
  strict: false,
  logger: false,
  allErrors: true,
  // What an object inherits is not what the model gave.
  ownProperties: true,
  // A definition that is used often would be written out each time.
  inlineRefs: false,
  code: { optimize: false, regExp: Object.assign(linearPattern, { code: 'linearPattern' }) },
};

let draft: Ajv2020 | undefined;

/**
 * Makes ready to compile schemas, which takes some time the first time: to be called before what is limited in time.
 */
export function prepareDraft(): Ajv2020 {
  if (draft !== undefined) return draft;
  draft = new Ajv2020({ ...OPTIONS, allErrors: false });
  void draft.validateSchema({});
  return draft;
}

/** By the schema of schemas. Ajv writes code: what is no schema must not get that far. */
function checkKeywords(schema: object): void {
  const ready = prepareDraft();
  let valid: unknown;
  try {
    valid = ready.validateSchema(schema);
  } catch (error) {
    throw new SchemaError(reasonOf(error));
  }
  if (valid !== true) throw new SchemaError(ready.errorsText(ready.errors, { dataVar: '' }).slice(0, 1_000));
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deeply';
  return (error instanceof Error ? error.message : 'it cannot be read').slice(0, 1_000);
}
