import type { TurnStatus } from './wire/contract.ts';

const FINAL: readonly string[] = ['completed', 'failed', 'cancelled', 'incomplete'] satisfies TurnStatus[];

/** True once nothing will ever change this turn again. */
export function isFinal(status: TurnStatus): boolean {
  return FINAL.includes(status);
}

/** True when there is nothing left to wait for, or you are the one who is waited for. */
export function isSettled(status: TurnStatus): boolean {
  return isFinal(status) || status === 'requires_action';
}
