import type { SubmitToolOutputs, Turn } from '@turnpike/contract';
import { inTransaction } from '@turnpike/store';
import { answerAction, checkAnswers, type CheckedAnswers } from '@turnpike/turns';
import { auditAct } from './audit-act.ts';
import type { Call, Services } from './route.ts';

/** As `checkAnswers`: to be called before the transaction of `answerTurn`. */
export function checkOutputs(
  { database, inputSchemas }: Pick<Services, 'database' | 'inputSchemas'>,
  tenantId: string,
  turnId: string,
  outputs: SubmitToolOutputs,
): Promise<CheckedAnswers> {
  return checkAnswers(database.pool, tenantId, turnId, outputs, (schema, answer) =>
    inputSchemas.misfit(tenantId, schema, answer),
  );
}

/** Stores outputs of a turn in `requires_action`. Throws as `answerAction` does; `afterCommit` is to be called after. */
export async function answerTurn(
  { backplane, dispatcher }: Pick<Services, 'backplane' | 'dispatcher'>,
  { sql, tenantId, actor }: Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'actor'>,
  turnId: string,
  outputs: SubmitToolOutputs,
  checked: CheckedAnswers,
): Promise<{ turn: Turn; afterCommit: () => void }> {
  const { turn, resumes } = await inTransaction(sql, async (transaction) => {
    const answered = await answerAction(transaction, tenantId, turnId, outputs, checked);
    const { sentAgain } = answered;
    // To repeat a call that may have taken effect is a decision with an author.
    if (sentAgain.length > 0)
      await auditAct(transaction, actor, {
        action: 'tool_call.sent_again',
        subject: turnId,
        details: { tool_calls: sentAgain.map(({ id }) => id), tools: sentAgain.map(({ name }) => name) },
      });
    return answered;
  });
  const { session_id: sessionId } = turn;
  return {
    turn,
    afterCommit() {
      if (resumes) dispatcher.changed({ sessionId, tenantId });
      backplane.live.changed({ sessionId, turnId, eventCount: null });
    },
  };
}
