import type { TurnStatus } from './wire/contract.ts';

const FINAL: readonly string[] = ['completed', 'failed', 'cancelled', 'incomplete'] satisfies TurnStatus[];

/** True if the turn has ended: it never changes again. */
export function isFinal(status: TurnStatus): boolean {
  return FINAL.includes(status);
}

/** True if the turn has ended, or waits for you. */
export function isSettled(status: TurnStatus): boolean {
  return isFinal(status) || status === 'requires_action';
}
