import { TurnpikeApiError, type ToolOutputs, type Turn } from '@turnpike/client';
import { useMutation, useQueryClient, type UseMutationResult } from '@tanstack/react-query';
import { turnpike } from '../../session/session.ts';

export type WaitingCall = NonNullable<Turn['required_action']>['tool_calls'][number];

/** Answers calls of a turn. Whatever comes of it, what waits is read again: somebody else may have been faster. */
export function useAnswer(turnId: string): UseMutationResult<Turn, Error, ToolOutputs> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (answers: ToolOutputs) => turnpike.turns.submitToolOutputs(turnId, answers),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ['waiting'] }),
        queries.invalidateQueries({ queryKey: ['turn', turnId] }),
      ]),
  });
}

/** True where somebody else has answered, or the turn has ended. */
export function isTooLate(error: unknown): boolean {
  return error instanceof TurnpikeApiError && /^(no_action_required|tool_call_settled)$/.test(error.code);
}
