import type { OutputOf, ToolSchema } from './tool-schema.ts';

/** A log whose every line names the tool, its call and its turn. Secrets are hidden in it. */
export interface ToolLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/**
 * What a durable step does when it is done a second time.
 * - `read`: nothing. It is done again where its result was not kept.
 * - `idempotent`: the other side discards duplicates by `idempotencyKey`. As `read`.
 * - `once`: it acts again. It is never done twice: where a worker died in it, the call follows the tool's `onUnknown`.
 */
export type StepEffect = 'read' | 'idempotent' | 'once';

export interface StepSettings {
  effect: StepEffect;
}

/** What the function of a durable step is given. */
export interface StepContext {
  /** The same whenever this step is done: send it along, so that the other side can discard duplicates. */
  readonly idempotencyKey: string;
  /** Aborts when the work must end. */
  readonly signal: AbortSignal;
}

/** The result of a step as it is given back: as JSON keeps it. A `Date` becomes a text; a function cannot be kept. */
export type Kept<Result> = Result extends string | number | boolean | null | undefined | void
  ? Result
  : Result extends { toJSON(): infer Json }
    ? Kept<Json>
    : Result extends bigint | symbol | ((...values: never[]) => unknown)
      ? never
      : Result extends object
        ? { [Field in keyof Result]: Kept<Result[Field]> }
        : Result;

/** A question to a person, with the form of its answer. */
export interface Question<Schema extends ToolSchema> {
  /** Shown to the person. */
  question: string;
  /** The answer's form. It must yield JSON Schema; answers that do not fit it are refused. */
  schema: Schema;
  /** Tells the questions of one call apart. Default: `answer`. */
  name?: string;
}

/** One call of a tool. `Secret` are the names in the tool's `secrets`. */
export interface CodeToolCall<Secret extends string = string> {
  /** The same in every attempt at this call: send it along, so that the other side can discard duplicates. */
  readonly idempotencyKey: string;
  readonly toolCallId: string;
  readonly turnId: string;
  readonly sessionId: string;
  readonly tenantId: string;
  /** The labels that the client gave the turn and the session. */
  readonly metadata: {
    readonly turn: Readonly<Record<string, string>>;
    readonly session: Readonly<Record<string, string>>;
  };
  /** 1 at first; higher where the call is made again after a crash, a drain, an answer or a wait. */
  readonly attempt: number;
  /** Aborts at the deadline, when the turn is cancelled, and when the worker must end. */
  readonly signal: AbortSignal;
  /** When `signal` aborts at the latest. */
  readonly deadline: Date;
  /** The tenant's secrets that the tool names. They are hidden in its output and in logs. */
  readonly secrets: Readonly<Record<Secret, string>>;
  readonly log: ToolLog;
  /** As the global one, but it reaches public addresses only (and those of `EGRESS_ALLOW`), and follows no redirect. */
  readonly fetch: typeof globalThis.fetch;
  /** Shows how far the call is: a text, or a share from 0 to 1. Live only; at most a few a second are shown. */
  progress(shown: string | number): void;
  /**
   * Does a part of the work once: its result, a JSON value, is kept, and a later run of the same call gets it back
   * instead of doing it again. `name` must be the same in every run and differ from those of other steps.
   */
  step<Result>(
    name: string,
    settings: StepSettings,
    work: (step: StepContext) => Promise<Result> | Result,
  ): Promise<Kept<Result>>;
  /**
   * Asks a person. The turn waits in `requires_action` without a worker; after the answer the tool is run again from
   * its start, its steps give back what they gave, and this resolves with the answer.
   */
  suspend<Schema extends ToolSchema>(question: Question<Schema>): Promise<OutputOf<Schema>>;
}
