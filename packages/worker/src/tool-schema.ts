/**
 * A schema of any library that implements Standard Schema: Zod, Valibot, ArkType and others. For the input of a tool it
 * must also yield JSON Schema (`~standard.jsonSchema`, https://standardschema.dev/json-schema): Zod does since 4.2.
 */
export interface ToolSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type InputOf<Schema extends ToolSchema> = NonNullable<Schema['~standard']['types']>['input'];
/** What a schema gives. */
export type OutputOf<Schema extends ToolSchema> = NonNullable<Schema['~standard']['types']>['output'];

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = Record<string, unknown>;
/** A JSON Schema of an object. */
export type ObjectSchema = { type: 'object'; [keyword: string]: unknown };

interface Converter {
  input(options: { target: string }): unknown;
  output(options: { target: string }): unknown;
}

/**
 * The JSON Schema of what a schema takes (`input`), or of what it gives (`output`).
 * Throws a `TypeError` that begins with `what` where the schema yields none.
 */
export function toJsonSchema(schema: ToolSchema, side: 'input' | 'output', what: string): JsonSchema {
  const standard: unknown = schema?.['~standard'];
  if (!isObject(standard) || typeof standard['validate'] !== 'function') {
    throw new TypeError(
      `${what} is not a schema: give one of Zod, Valibot, ArkType or another library with Standard Schema.`,
    );
  }
  const converter = standard['jsonSchema'];
  if (!isConverter(converter)) {
    throw new TypeError(
      `${what} yields no JSON Schema. Zod does from version 4.2 on; for Valibot use toStandardJsonSchema() of @valibot/to-json-schema.`,
    );
  }
  let made: unknown;
  try {
    made = converter[side]({ target: 'draft-2020-12' });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TypeError(`${what} cannot be written as JSON Schema: ${reason}`, { cause: error });
  }
  if (!isObject(made)) throw new TypeError(`${what} cannot be written as JSON Schema.`);
  const { $schema: _, ...jsonSchema } = made;
  return jsonSchema;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isConverter(value: unknown): value is Converter {
  return isObject(value) && typeof value['input'] === 'function' && typeof value['output'] === 'function';
}
