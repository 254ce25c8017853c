import { OutcomeUnknownError } from '@turnpike/contract';

/** For a tool that cannot be asked how a call ended. */
export function cannotReconcile(name: string): Promise<never> {
  const message = `${name.slice(0, 64)} cannot be asked how a call ended.`;
  return Promise.reject(new OutcomeUnknownError('cannot_reconcile', message));
}
