import { createHash } from 'node:crypto';
import type { InputSchema } from '@turnpike/contract';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { compileSchema, prepareDraft, SchemaError } from './compile-schema.ts';
import { TimeShareError } from './run-within.ts';
import { TimeShares } from './time-shares.ts';

const MOST_SCHEMAS = 1_000;
/** Characters of JSON of all schemas whose validators are kept. */
const MOST_CHARACTERS = 10_000_000;
const MAX_ISSUES = 20;
const MAX_EXPLANATION = 4_000;

/** Validators of tenants' schemas, compiled when first needed and kept while they are in use. */
export class InputSchemas {
  readonly #shares: TimeShares;
  readonly #validators = new LRUCache<string, ValidateFunction>({
    max: MOST_SCHEMAS,
    maxSize: MOST_CHARACTERS,
  });

  constructor(shares: TimeShares = new TimeShares()) {
    this.#shares = shares;
  }

  /**
   * Null where the input fits; else what is wrong with it, told to the model. Also a schema that cannot
   * be used is told so: it is the tool's mistake, never the turn's end.
   */
  explain(tenantId: string, schema: InputSchema, input: unknown): string | null {
    prepareDraft();
    try {
      return this.#shares.run(tenantId, () => {
        const validate = this.#validatorOf(schema);
        return validate(input) ? null : explainErrors(validate.errors ?? []);
      });
    } catch (error) {
      if (error instanceof SchemaError) return `${NOT_CHECKED} Its schema is not valid: ${error.message}.`;
      if (error instanceof TimeShareError) return `${NOT_CHECKED} To check it takes too long.`;
      if (error instanceof RangeError) return `${NOT_CHECKED} It is nested too deeply, or its schema is.`;
      throw error;
    }
  }

  #validatorOf(schema: InputSchema): ValidateFunction {
    const json = JSON.stringify(schema);
    const key = createHash('sha256').update(json).digest('base64');
    const known = this.#validators.get(key);
    if (known !== undefined) return known;
    const validate = compileSchema(schema);
    this.#validators.set(key, validate, { size: json.length });
    return validate;
  }
}

const NOT_CHECKED = 'The input of this tool cannot be checked, so nothing was done.';

function explainErrors(errors: readonly ErrorObject[]): string {
  const issues = errors.slice(0, MAX_ISSUES).map(explainError);
  return `Invalid input: ${[...new Set(issues)].join('; ')}`.slice(0, MAX_EXPLANATION);
}

function explainError({ instancePath, message = 'is not valid', params }: ErrorObject): string {
  const path = instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  return `${path || 'input'}: ${message}${detailOf(params)}`;
}

/** What the message leaves out: which property is too many, which values there are. */
function detailOf(params: Record<string, unknown>): string {
  const { additionalProperty, unevaluatedProperty, allowedValues, allowedValue } = params;
  const property = additionalProperty ?? unevaluatedProperty;
  if (typeof property === 'string') return ` (${property})`;
  if (allowedValues !== undefined) return ` (${JSON.stringify(allowedValues)})`;
  return allowedValue === undefined ? '' : ` (${JSON.stringify(allowedValue)})`;
}
