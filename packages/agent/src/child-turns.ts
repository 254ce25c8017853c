import { isFinal, type ChildRefusal, type ChildTurn } from '@turnpike/contract';
import { isOverCallLimit } from './call-limit.ts';
import { hasResult, setResult, updateCall, type OpenCall } from './progress.ts';
import type { TurnRun } from './turn-run.ts';

/** Whether the call is a child turn whose result is not in the journal yet. */
export function isOpenChild(call: OpenCall): boolean {
  return call.childTurnId != null && !hasResult(call);
}

/**
 * Starts the child turns of all calls of agents whose intent is committed, in one commit. They run while the other
 * calls of the round do. A call that can have none gets an error as its result.
 */
export async function startChildren(run: TurnRun): Promise<void> {
  const { lease, progress, tools } = run;
  const calls = progress.openCalls.filter(
    (call, position) =>
      !hasResult(call) && call.awaiting === null && !isOpenChild(call) && !isOverCallLimit(position),
  );
  const children = await Promise.all(calls.map((call) => tools.childOf(lease.turn, call)));
  const requested = calls.flatMap((call, index) => {
    const child = children[index] ?? null;
    return child === null ? [] : [{ toolCallId: call.id, ...child }];
  });
  if (requested.length === 0) return;
  for (const { toolCallId, childTurnId, refusal } of await lease.startChildren(requested)) {
    const call = calls.find(({ id }) => id === toolCallId);
    if (call === undefined) continue;
    if (refusal === null) updateCall(progress, call.id, { childTurnId });
    else setChildResult(run, call, refusal);
  }
}

/**
 * Gets the results of the round's child turns, once all have ended: they are committed with the step. Returns false
 * where one is still open: then the turn is parked, and the lease has ended.
 */
export async function collectChildren(run: TurnRun): Promise<boolean> {
  const { lease, progress } = run;
  const calls = progress.openCalls.filter(isOpenChild);
  if (calls.length === 0) return true;
  for (;;) {
    const children = await lease.readChildren(calls.flatMap(({ childTurnId }) => childTurnId ?? []));
    if (children.every(({ status }) => isFinal(status))) {
      const byId = new Map(children.map((child) => [child.id, child]));
      for (const call of calls) setChildResult(run, call, byId.get(call.childTurnId ?? '') ?? null);
      return true;
    }
    if (await lease.park()) return false;
  }
}

/** Here only: it is committed with what comes next. */
function setChildResult(run: TurnRun, call: OpenCall, child: ChildTurn | ChildRefusal | null): void {
  const { content, isError } = run.tools.outputOfChild(call, child);
  const receipt = { id: call.id, status: 'completed' as const, output: content, isError };
  setResult(run.progress, receipt, false);
}
