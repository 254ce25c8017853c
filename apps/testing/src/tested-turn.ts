import type { CrashPoint } from './crash-points.ts';

/** A tool call as the turn's journal has it in the end. */
export interface TestedCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  /** The text of its output as the model was told; null while there is none. */
  readonly output: string | null;
  readonly isError: boolean;
  /** `completed`, or `unknown`: it may have acted, and nobody knows. */
  readonly status: string;
  /** How often a worker started it. */
  readonly attempts: number;
}

/** How a turn ended. */
export interface TestedTurn {
  readonly id: string;
  readonly status: string;
  /** The text of the last reply. */
  readonly outputText: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** All calls, in the order in which the model asked for them. */
  readonly toolCalls: readonly TestedCall[];
  /** What tools threw in this process, in order. The model is told less. */
  readonly thrown: readonly unknown[];
  /** The model calls that were made, those of dead workers included. */
  readonly modelCalls: number;
  /** The moments at which a worker could have died, in order: `crashAt` and `crash` take them. */
  readonly crashPoints: readonly CrashPoint[];
}
