import type { InputSchema } from '@turnpike/contract';
import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { linearPattern } from './linear-pattern.ts';

/** A schema that cannot be used; the message tells its author why. */
export class SchemaError extends Error {}

/**
 * A validator for a JSON Schema (draft 2020-12). It tolerates what schemas in use contain: unknown keywords and formats
 * are ignored, `$schema` may name an older draft, a pattern need not be valid with the flag `u`. Nothing is fetched,
 * so a `$ref` reaches only into the schema itself.
 *
 * Each schema has its own compiler, since Ajv remembers schemas by `$id`: one tenant must not refer to another's.
 * Throws `SchemaError`.
 */
export function compileSchema(schema: InputSchema): ValidateFunction {
  const { $schema: _, ...rest } = schema;
  // With this keyword of Ajv, the validator would return a promise.
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
  // Inherited properties were not given by the model.
  ownProperties: true,
  // A definition that is used often would be inlined each time.
  inlineRefs: false,
  code: { optimize: false, regExp: Object.assign(linearPattern, { code: 'linearPattern' }) },
};

let draft: Ajv2020 | undefined;

/**
 * Compiles the meta-schema, which takes some time: call it before work whose time is limited.
 */
export function prepareDraft(): Ajv2020 {
  if (draft !== undefined) return draft;
  draft = new Ajv2020({ ...OPTIONS, allErrors: false });
  void draft.validateSchema({});
  return draft;
}

/** Checks against the meta-schema. Ajv generates code, so an invalid schema must not reach it. Throws `SchemaError`. */
export function checkKeywords(schema: object): void {
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
