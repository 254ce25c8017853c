import { TurnpikeError } from './errors.ts';
import type { OutputFormat, Turn } from './wire/contract.ts';

/** A schema of zod or of any other library that follows Standard Schema (https://standardschema.dev). */
export interface OutputSchema<Output> {
  readonly '~standard': {
    readonly validate: (value: unknown) => OutputResult<Output> | Promise<OutputResult<Output>>;
  };
}

type OutputResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** The turn has no output that fits. */
export class TurnpikeOutputError extends TurnpikeError {
  override readonly name = 'TurnpikeOutputError';
  readonly turn: Turn;

  constructor(message: string, turn: Turn) {
    super(message);
    this.turn = turn;
  }
}

/**
 * The output format of an agent, or of a turn (`overrides`), with a JSON Schema such as `z.toJSONSchema(...)` makes.
 * Throws a `TypeError` where that is no schema of an object.
 */
export function outputFormat(schema: object): OutputFormat {
  if (!('type' in schema) || schema.type !== 'object') throw new TypeError('An output is an object.');
  return { type: 'json_schema', schema: { ...schema, type: 'object' } };
}

/**
 * The output of a turn that has an output format, by its agent or its overrides, with the type of `schema`: the one that the format was made
 * from. Throws `TurnpikeOutputError` where the turn has no such output.
 */
export async function readOutput<Output>(turn: Turn, schema: OutputSchema<Output>): Promise<Output> {
  if (turn.status !== 'completed' || turn.output_parsed === null) {
    throw new TurnpikeOutputError(`${turn.id} is ${turn.status} and has no structured output.`, turn);
  }
  const result = await schema['~standard'].validate(turn.output_parsed);
  if (result.issues === undefined) return result.value;
  const messages = result.issues.map(({ message }) => message).join('; ');
  throw new TurnpikeOutputError(`The output of ${turn.id} does not fit: ${messages}`, turn);
}
