import {
  ProblemError,
  UNKNOWN_OUTCOME,
  type Awaiting,
  type SubmitToolOutputs,
  type ToolAnswer,
  type Turn,
  type ValidationIssue,
} from '@turnpike/contract';
import {
  answerAction as storeAnswers,
  inTransaction,
  lockWaitingTurn,
  readTurn,
  readWaitingCalls,
  type Sql,
} from '@turnpike/store';
import { TRANSITIONS } from './transitions.ts';

const DENIED = 'The call was denied. Nothing was done.';

type Submitted = SubmitToolOutputs['tool_outputs'][number];

/**
 * Takes answers for a turn that waits for somebody outside; some of them now and others later is
 * fine. `resumes` is true where they were the last ones, and the turn may be dispatched.
 * Throws `ProblemError`: `not_found`, `no_action_required`, `tool_call_settled`, `invalid_request`.
 */
export function answerAction(
  sql: Sql,
  tenantId: string,
  turnId: string,
  submitted: SubmitToolOutputs,
): Promise<{ turn: Turn; resumes: boolean }> {
  return inTransaction(sql, async (transaction) => {
    const [waiting] = TRANSITIONS.answer.from;
    const isWaiting = await lockWaitingTurn(transaction, { tenantId, turnId }, waiting);
    if (!isWaiting) throw await whyNot(transaction, tenantId, turnId);
    const answers = await matchAnswers(transaction, turnId, submitted.tool_outputs);
    const resumes = await storeAnswers(transaction, turnId, answers);
    const turn = await readTurn(transaction, tenantId, turnId);
    if (turn === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
    return { turn, resumes };
  });
}

async function whyNot(sql: Sql, tenantId: string, turnId: string): Promise<ProblemError> {
  const turn = await readTurn(sql, tenantId, turnId);
  if (turn === null) return new ProblemError('not_found', `There is no turn ${turnId}.`);
  return new ProblemError('no_action_required', `${turnId} is ${turn.status}: it waits for no tool output.`);
}

async function matchAnswers(
  sql: Sql,
  turnId: string,
  submitted: readonly Submitted[],
): Promise<ToolAnswer[]> {
  const calls = new Map((await readWaitingCalls(sql, turnId)).map((call) => [call.id, call.awaiting]));
  const issues: ValidationIssue[] = [];
  const answers = submitted.flatMap((answer, place): ToolAnswer[] => {
    const awaiting = calls.get(answer.tool_call_id);
    if (awaiting === undefined) {
      const path = `tool_outputs.${place}.tool_call_id`;
      issues.push({ path, message: 'is not a tool call of this turn that can be answered' });
      return [];
    }
    if (awaiting === null) {
      throw new ProblemError(
        'tool_call_settled',
        `${answer.tool_call_id} waits for nothing: it was answered before.`,
      );
    }
    const mistake = mistakeOf(answer, awaiting);
    if (mistake === null) return [toolAnswer(answer, awaiting)];
    issues.push({ path: `tool_outputs.${place}`, message: mistake });
    return [];
  });
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
  return answers;
}

function mistakeOf(answer: Submitted, awaiting: Awaiting): string | null {
  if (awaiting === 'approval' && !('approved' in answer)) return 'waits for an approval: send `approved`';
  if (awaiting === 'output' && !('output' in answer)) return 'waits for an output: send `output`';
  return null;
}

/** A person who is asked how a call ended may also say: it did not, so send it. That is an approval. */
function toolAnswer(answer: Submitted, awaiting: Awaiting): ToolAnswer {
  const toolCallId = answer.tool_call_id;
  if ('output' in answer) {
    const { output, is_error: isError } = answer;
    const content = typeof output === 'string' ? [{ type: 'text', text: output }] : output;
    return { toolCallId, output: content, isError };
  }
  if (answer.approved) return { toolCallId, approved: true };
  const silence = awaiting === 'outcome' ? UNKNOWN_OUTCOME : DENIED;
  return { toolCallId, approved: false, text: answer.reason ?? silence };
}
