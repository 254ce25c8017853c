import { isFinal, ProblemError, type RerunPreview, type RerunTurn } from '@turnpike/contract';
import {
  findCopy,
  readEffects,
  readStepType,
  type ForkedTurn,
  type RepeatedCall,
  type Sql,
} from '@turnpike/store';
import { beforeStep, findTurn, insertForkAt } from './fork-session.ts';
import type { PlainTurn } from './submit-command.ts';

const MOST_LISTED = 100;

/**
 * What a rerun of a turn from a step may do again: tool calls that may have changed something, from the journal.
 * Throws `ProblemError`: `not_found`, `turn_not_ended`, `invalid_request` for a step that no rerun can begin with.
 */
export async function previewRerun(
  sql: Sql,
  tenantId: string,
  turnId: string,
  fromStep: number,
): Promise<RerunPreview> {
  return previewOf(sql, tenantId, await findTurn(sql, tenantId, turnId), fromStep);
}

async function previewOf(
  sql: Sql,
  tenantId: string,
  turn: ForkedTurn,
  fromStep: number,
): Promise<RerunPreview> {
  await checkStep(sql, turn, fromStep);
  const { id: turnId } = turn;
  const effects = await readEffects(sql, tenantId, { turnId, fromStep }, MOST_LISTED);
  return {
    object: 'rerun_preview',
    turn_id: turnId,
    from_step: fromStep,
    tool_calls: effects.calls.map(asShown),
    tool_call_count: effects.count,
    confirmation: effects.hash,
  };
}

/**
 * Forks the session of a turn that is to be made again, in the transaction of `sql`, and returns the turn to submit
 * there. With an input of its own it follows the turn before. Otherwise the fork has the beginning of the turn, and the
 * new turn resumes it: its first model call is the one that is made again.
 * Throws as `previewRerun` and `forkSession` do; `rerun_not_confirmed` where it may repeat what the client was not shown.
 */
export async function forkForRerun(
  sql: Sql,
  tenantId: string,
  { turnId, submission }: { turnId: string; submission: RerunTurn },
  mostSessions: number | null,
): Promise<{ requested: PlainTurn; sessions: number | null }> {
  const { input, from_step: fromStep = 0, session_metadata: metadata, confirmation, ...fields } = submission;
  const turn = await findTurn(sql, tenantId, turnId);
  const preview = await previewOf(sql, tenantId, turn, fromStep);
  checkConfirmation(preview, confirmation);
  const { sessionId, sequence, previousId } = turn;
  const point =
    input === undefined
      ? await beforeStep(sql, turn, fromStep)
      : { sessionId, sequence: sequence - 1, turnId: previousId, cut: null };
  const { session, sessions } = await insertForkAt(sql, { tenantId, metadata, mostSessions }, point, turnId);
  const kept = fields.agent_version === undefined && fields.overrides === undefined;
  const again = {
    metadata: turn.metadata,
    ...(turn.budgetMicros === null ? {} : { budget_micros: turn.budgetMicros }),
    ...(kept ? { agent_version: turn.agentVersion } : {}),
    ...(kept && turn.overrides !== null ? { overrides: turn.overrides } : {}),
    ...fields,
  };
  if (input !== undefined) {
    const asked = { ...again, input, multitask_strategy: 'enqueue' as const };
    return { requested: { of: 'session', sessionId: session.id, submission: asked }, sessions };
  }
  const copy = await findCopy(sql, session.id, turnId);
  if (copy === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
  return { requested: { of: 'stopped_turn', turnId: copy, submission: again }, sessions };
}

/** The model asks for calls in one step, and they are made in the next: only a model call can be the first. */
async function checkStep(sql: Sql, turn: ForkedTurn, fromStep: number): Promise<void> {
  if (!isFinal(turn.status)) throw new ProblemError('turn_not_ended', `${turn.id} has not ended.`);
  const refuse = (message: string): ProblemError =>
    new ProblemError('invalid_request', 'The request is not valid.', {
      issues: [{ path: 'from_step', message }],
    });
  if (fromStep > turn.stepCount) throw refuse(`${turn.id} has ${turn.stepCount} steps, from 0 on`);
  if ((await readStepType(sql, turn.id, fromStep)) === 'tool_calls')
    throw refuse(`is a round of tool calls; the model call before it is step ${fromStep - 1}`);
}

function checkConfirmation(preview: RerunPreview, given: string | undefined): void {
  if (given === preview.confirmation || (given === undefined && preview.tool_call_count === 0)) return;
  const detail =
    `${preview.tool_call_count} tool calls after that point may have changed something, and may be made again. ` +
    `GET /v1/turns/${preview.turn_id}/rerun?from_step=${preview.from_step} lists them: repeat its \`confirmation\`.`;
  throw new ProblemError('rerun_not_confirmed', detail);
}

function asShown(call: RepeatedCall): RerunPreview['tool_calls'][number] {
  return {
    id: call.id,
    turn_id: call.turnId,
    step_index: call.stepIndex,
    tool_use_id: call.toolUseId,
    name: call.name,
    input: call.input,
    input_text: call.inputText,
    effect: call.effect,
    status: call.status,
    output: call.output,
    is_error: call.isError,
    child_turn_id: call.childTurnId,
    started_at: call.startedAt,
    completed_at: call.completedAt,
  };
}
