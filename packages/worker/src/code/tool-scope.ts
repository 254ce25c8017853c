import { AsyncLocalStorage } from 'node:async_hooks';
import type { StepEffect, TurnLogger } from '@turnpike/contract';

/** The call of a tool in code that some code runs for, however indirectly. */
export interface ToolScopeOfCode {
  tool: string;
  toolCallId: string;
  logger: TurnLogger;
  /** Of the durable step that the code is in, or of the whole tool. */
  effect: StepEffect | 'reconcile';
  /** The name of the durable step that the code is in. */
  step?: string;
}

const current = new AsyncLocalStorage<ToolScopeOfCode>();

export function inToolScope<Result>(scope: ToolScopeOfCode, work: () => Result): Result {
  return current.run(scope, work);
}

/** Undefined outside of every call. */
export function toolScope(): ToolScopeOfCode | undefined {
  return current.getStore();
}
