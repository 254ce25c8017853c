import { checkTool } from './check-tool.ts';
import { findCaller } from './find-caller.ts';
import { hashDefinition } from './hash-definition.ts';
import type { CodeToolCall } from './tool-call.ts';
import {
  toJsonSchema,
  type JsonSchema,
  type ObjectSchema,
  type OutputOf,
  type ToolSchema,
} from './tool-schema.ts';

/** What a second run of the same call would do. */
export type ToolEffect = 'read' | 'idempotent' | 'once' | 'reconcile';

/** What becomes of a call that may have acted and must not be made again. */
export type OnUnknown = 'tell_model' | 'ask' | 'fail';

/** A content block of an output, in the form of the Messages API. */
export type OutputBlock =
  | { type: 'text'; text: string }
  | {
      type: 'image' | 'document';
      source: { type: string; [field: string]: unknown };
      [field: string]: unknown;
    };

/**
 * What a tool returns where it declares no `output`: text, content blocks, or a value that can be written as JSON, such
 * as what `response.json()` gives. What cannot be written as JSON is told to the model.
 */
export type ToolReturn = unknown;

/** What `reconcile` found out about a call that was made before. */
export type Reconciled<Returned> =
  /** It acted, and this is its output. */
  | { outcome: 'done'; output: Returned }
  /** It never acted, and will not: it is made again. */
  | { outcome: 'not_done' }
  /** Nobody knows: the call follows `onUnknown`. */
  | { outcome: 'unknown' };

/** How a tool runs in a thread of its own. */
export interface Isolation {
  /** `import.meta.url` of the module that exports the tool. Default: the module that calls `defineTool`. */
  module?: string;
  /** The memory of the thread in MiB, from 64 to 4,096. Default: 256. */
  memoryMb?: number;
}

type ReturnOf<Out extends ToolSchema | undefined> = Out extends ToolSchema
  ? NonNullable<Out['~standard']['types']>['input']
  : ToolReturn;

interface CommonSettings<In extends ToolSchema, Out extends ToolSchema | undefined, Secret extends string> {
  /** 1 to 64 of `a-z A-Z 0-9 _ -`. Agents name it. */
  name: string;
  /** Tells the model what the tool does and when to use it. */
  description: string;
  /** The schema of the input, an object. */
  input: In;
  /** The schema of the output, where it is a JSON value. What does not fit it is an error. */
  output?: Out;
  /** What becomes of a call that may have acted and must not be made again. Default: `tell_model`. */
  onUnknown?: OnUnknown;
  /** Whether a person must approve a call before it is made. Default: false. A function that throws counts as true. */
  approval?: boolean | ((input: OutputOf<In>) => boolean);
  /** Milliseconds that one run may take, from 100 to 86,400,000. Default: 30,000. */
  timeoutMs?: number;
  /** Names of the tenant's secrets that `call.secrets` has. They are opened at the moment of the call. */
  secrets?: readonly Secret[];
  /**
   * Runs the tool in a thread, which is ended when its time or its memory is. For code that computes. The module that
   * defines the tool must export it: the thread imports it.
   */
  isolate?: boolean | Isolation;
  /** Does the work. What it returns is the output; what it throws is an error for the model, except a `ToolError`. */
  run(input: OutputOf<In>, call: CodeToolCall<Secret>): Promise<ReturnOf<Out>> | ReturnOf<Out>;
}

/** `reconcile` is there exactly where the effect says so. */
type EffectSettings<In extends ToolSchema, Out extends ToolSchema | undefined, Secret extends string> =
  | { effect: Exclude<ToolEffect, 'reconcile'>; reconcile?: never }
  | {
      effect: 'reconcile';
      /** Finds out whether a call acted that was made before, by its `idempotencyKey`. */
      reconcile(
        input: OutputOf<In>,
        call: CodeToolCall<Secret>,
      ): Promise<Reconciled<ReturnOf<Out>>> | Reconciled<ReturnOf<Out>>;
    };

export type ToolSettings<
  In extends ToolSchema,
  Out extends ToolSchema | undefined = undefined,
  Secret extends string = never,
> = CommonSettings<In, Out, Secret> & EffectSettings<In, Out, Secret>;

/** A tool in code, as `defineTool` made it. */
export interface CodeTool {
  readonly type: 'code';
  readonly name: string;
  readonly description: string;
  /** What the model is shown. */
  readonly inputSchema: ObjectSchema;
  /** Null where the tool declares none. */
  readonly outputSchema: JsonSchema | null;
  readonly effect: ToolEffect;
  readonly onUnknown: OnUnknown;
  readonly timeoutMs: number;
  readonly secrets: readonly string[];
  /** SHA-256 of all that is data in the definition, in hexadecimal. Another hash: another tool for the model. */
  readonly hash: string;
  readonly isolate: Required<Isolation> | null;
  readonly code: ToolCode;
}

/** The functions of a tool. They are given only what its schemas have parsed. */
export interface ToolCode {
  readonly input: ToolSchema;
  readonly output: ToolSchema | null;
  needsApproval(input: unknown): boolean;
  run(input: unknown, call: CodeToolCall): unknown;
  readonly reconcile: ((input: unknown, call: CodeToolCall) => unknown) | null;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MEMORY_MB = 256;

/** Defines a tool. Throws a `TypeError` that says what is wrong with it. */
export function defineTool<
  In extends ToolSchema,
  Out extends ToolSchema | undefined = undefined,
  const Secret extends string = never,
>(settings: ToolSettings<In, Out, Secret>): CodeTool {
  checkTool(settings);
  const { name, description, effect, onUnknown = 'tell_model', timeoutMs = DEFAULT_TIMEOUT_MS } = settings;
  const { approval = false, secrets = [], isolate } = settings;
  const inputSchema = toJsonSchema(settings.input, 'input', `The input of ${name}`);
  const outputSchema =
    settings.output === undefined ? null : toJsonSchema(settings.output, 'output', `The output of ${name}`);
  const data = {
    name,
    description,
    inputSchema: inputSchema as ObjectSchema,
    outputSchema,
    effect,
    onUnknown,
    timeoutMs,
  };
  return Object.freeze({
    type: 'code',
    ...data,
    secrets: [...secrets],
    hash: hashDefinition({ ...data, secrets }),
    isolate: readIsolation(name, isolate, findCaller(defineTool)),
    code: {
      input: settings.input,
      output: settings.output ?? null,
      needsApproval: (input) => (typeof approval === 'function' ? approval(input) : approval),
      run: (input, call) => settings.run(input, call),
      reconcile: settings.effect === 'reconcile' ? (input, call) => settings.reconcile(input, call) : null,
    },
  } satisfies CodeTool);
}

function readIsolation(
  name: string,
  isolate: boolean | Isolation | undefined,
  caller: string | null,
): Required<Isolation> | null {
  if (isolate === undefined || isolate === false) return null;
  const { module = caller, memoryMb = DEFAULT_MEMORY_MB } = isolate === true ? {} : isolate;
  if (module !== null) return { module, memoryMb };
  throw new TypeError(`The tool "${name}": name its module: isolate: { module: import.meta.url }.`);
}
