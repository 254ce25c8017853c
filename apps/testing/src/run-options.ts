import type { AgentDefinition, CodeTool } from '@turnpike/worker';
import type { CrashPoint } from './crash-points.ts';
import type { ScriptedReply } from './script.ts';

/** A call that waits for someone: for a client's output, an approval, an outcome, or an answer to `call.suspend`. */
export interface WaitingCall {
  readonly toolCallId: string;
  readonly name: string;
  readonly input: unknown;
  readonly awaiting: string;
  /** The text of the question, where it asks one. */
  readonly question: string | null;
}

/** What a test says to a call that waits. */
export type Answer =
  | { output: unknown; isError?: boolean }
  | { approved: boolean; reason?: string }
  | { outcome: 'unknown' }
  | { sendAgain: true }
  | { answer: unknown };

export interface RunOptions {
  /** Left out: an agent that has all `tools`. */
  agent?: AgentDefinition;
  /** Tools in code beside those of the agent. */
  tools?: readonly CodeTool[];
  /** What the user says. */
  input: string;
  /** What the model replies, call by call. Left out: the simulator calls the tools that the input names, and answers. */
  script?: readonly ScriptedReply[];
  /** Values for the secrets that the tools name. */
  secrets?: Readonly<Record<string, string>>;
  /** Labels of the turn. */
  metadata?: Readonly<Record<string, string>>;
  /** Where the worker dies. Several: one worker after another, in this order. */
  crash?: CrashPoint | readonly CrashPoint[];
  /** Answers a call that waits. Left out: a turn that waits is returned as it is. */
  answer?(call: WaitingCall): Answer | Promise<Answer>;
  /** The turn must be over after this. Milliseconds; default: 30,000. */
  timeoutMs?: number;
}
