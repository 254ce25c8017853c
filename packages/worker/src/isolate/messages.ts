/** What a thread is told, and what it says. All of it can be cloned. */
export type ToThread =
  /** Answered with `found`. */
  | { type: 'find'; module: string; tool: string; hash: string }
  | { type: 'run'; run: RunInThread }
  | { type: 'abort'; reason: string }
  /** The result of a request. */
  | { type: 'result'; id: number; value: unknown }
  | { type: 'failure'; id: number; error: ThrownInThread }
  /** Does the work of the step with this request's id. Answered with `stepDone`. */
  | { type: 'doStep'; id: number; idempotencyKey: string }
  /** Checks an answer by the schema of the question with this request's id. Answered with `checked`. */
  | { type: 'check'; id: number; value: unknown };

/** What code in a thread says. `run`: which run it is of, since code of an earlier one may still go on. */
export type FromThread = { type: 'found'; problem: string | null } | (FromRun & { run: number });

export type FromRun =
  | { type: 'request'; id: number; request: ThreadRequest }
  | { type: 'stepDone'; id: number; outcome: ThreadOutcome }
  | { type: 'checked'; id: number; result: unknown }
  | { type: 'progress'; shown: unknown }
  | {
      type: 'log';
      level: 'debug' | 'info' | 'warn' | 'error';
      message: string;
      fields: Record<string, unknown>;
    }
  | { type: 'done'; outcome: ThreadOutcome };

export type ThreadRequest =
  | { method: 'step'; within: Within | null; name: unknown; settings: unknown }
  | { method: 'suspend'; within: Within | null; question: unknown; name: unknown; form: unknown }
  | {
      method: 'fetch';
      within: Within | null;
      url: string;
      httpMethod: string;
      headers: [string, string][];
      body: Uint8Array | null;
    };

/** The durable step that the code is in. */
export interface Within {
  step: string;
  effect: string;
}

export interface RunInThread {
  /** Differs from that of every other run. */
  id: number;
  module: string;
  tool: string;
  hash: string;
  work: 'run' | 'reconcile';
  input: unknown;
  /** The fields of `CodeToolCall` that are data. */
  call: Record<string, unknown>;
}

/** What code returned, as JSON text (null for `undefined`), or threw. */
export type ThreadOutcome =
  | { type: 'returned'; json: string | null }
  | { type: 'not_json' }
  | { type: 'threw'; error: ThrownInThread };

export interface ThrownInThread {
  kind: string | null;
  message: string;
  stack: string;
  afterMs?: number;
}
