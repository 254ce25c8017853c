import {
  ProblemError,
  UNKNOWN_OUTCOME,
  withFileSources,
  type Awaiting,
  type ContentBlock,
  type SubmitToolOutputs,
  type SubmittedOutput,
  type Turn,
  type ValidationIssue,
} from '@turnpike/contract';
import {
  answerAction as storeAnswers,
  inTransaction,
  lockWaitingTurn,
  readQuestions,
  readTurn,
  readWaitingCalls,
  type Sql,
  type WaitingCall,
} from '@turnpike/store';
import { TRANSITIONS } from './transitions.ts';
import { useFiles, type GivenContent } from './use-files.ts';

const DENIED = 'The call was denied. Nothing was done.';

type Submitted = SubmitToolOutputs['tool_outputs'][number];
type RepeatedCall = Pick<WaitingCall, 'id' | 'name'>;

/** The names of the questions that answers were checked for, by the ids of their calls. */
export class CheckedAnswers extends Map<string, string> {}

/** What is wrong with an answer, by the JSON Schema of its form; null where nothing is. */
export type ExplainAnswer = (schema: Record<string, unknown>, answer: unknown) => Promise<string | null>;

/**
 * Checks answers by the forms of their questions. To be called before the transaction of `answerAction`: on a busy machine
 * a check may take longer than a transaction may be idle, and the turn is not locked meanwhile.
 * Throws `ProblemError` (`invalid_request`).
 */
export async function checkAnswers(
  sql: Sql,
  tenantId: string,
  turnId: string,
  { tool_outputs: submitted }: SubmitToolOutputs,
  explain: ExplainAnswer,
): Promise<CheckedAnswers> {
  const checked = new CheckedAnswers();
  if (!submitted.some((given) => 'answer' in given)) return checked;
  const calls = await readQuestions(sql, tenantId, turnId);
  const issues: ValidationIssue[] = [];
  for (const [index, given] of submitted.entries()) {
    const question = calls.find(({ id }) => id === given.tool_call_id)?.question;
    if (!('answer' in given) || question == null) continue;
    const message = await explain(question.answer_schema, given.answer);
    if (message !== null) issues.push({ path: `tool_outputs.${index}.answer`, message });
    checked.set(given.tool_call_id, question.name);
  }
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
  return checked;
}

/**
 * Stores tool outputs of a turn in `requires_action`; they may be submitted in several requests. `resumes` is true
 * where they were the last ones, and the turn may be dispatched; `sentAgain` are the calls that the client wants made
 * a second time although the first may have taken effect.
 * Throws `ProblemError`: `not_found`, `no_action_required`, `tool_call_settled`, `invalid_request`, and those of
 * `useFiles`.
 */
export function answerAction(
  sql: Sql,
  tenantId: string,
  turnId: string,
  submitted: SubmitToolOutputs,
  checked: CheckedAnswers,
): Promise<{ turn: Turn; resumes: boolean; sentAgain: RepeatedCall[] }> {
  return inTransaction(sql, async (transaction) => {
    const [waiting] = TRANSITIONS.answer.from;
    const isWaiting = await lockWaitingTurn(transaction, { tenantId, turnId }, waiting);
    if (!isWaiting) throw await rejectionReason(transaction, tenantId, turnId);
    const calls = await readWaitingCalls(transaction, turnId);
    const answers = matchAnswers(calls, submitted.tool_outputs, checked);
    const used = await useFiles(transaction, tenantId, contentsOf(submitted.tool_outputs));
    const stored = answers.map((answer) =>
      'content' in answer ? { ...answer, content: withFileSources(answer.content, used.files) } : answer,
    );
    const resumes = await storeAnswers(transaction, turnId, stored);
    const turn = await readTurn(transaction, tenantId, turnId);
    if (turn === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
    await used.giveTo(turn.session_id);
    return { turn, resumes, sentAgain: repeatsOf(calls, submitted.tool_outputs) };
  });
}

async function rejectionReason(sql: Sql, tenantId: string, turnId: string): Promise<ProblemError> {
  const turn = await readTurn(sql, tenantId, turnId);
  if (turn === null) return new ProblemError('not_found', `There is no turn ${turnId}.`);
  return new ProblemError('no_action_required', `${turnId} is ${turn.status}: it waits for no tool output.`);
}

/** All outputs are of the kind that their calls wait for, or none is accepted. */
function matchAnswers(
  calls: readonly WaitingCall[],
  submitted: readonly Submitted[],
  checked: CheckedAnswers,
): SubmittedOutput[] {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const issues: ValidationIssue[] = [];
  const settled: string[] = [];
  const answers = submitted.flatMap((answer, index): SubmittedOutput[] => {
    const path = `tool_outputs.${index}`;
    const call = byId.get(answer.tool_call_id);
    if (call === undefined) {
      const message = 'is not a tool call of this turn that waits for an output';
      issues.push({ path: `${path}.tool_call_id`, message });
    } else if (call.awaiting === null || asksAnother(call, answer, checked)) {
      settled.push(call.id);
    } else if (EXPECTED[call.awaiting].kinds.includes(kindOf(answer))) {
      return [toolAnswer(answer, call)];
    } else {
      issues.push({ path: `${path}.${kindOf(answer)}`, message: EXPECTED[call.awaiting].message });
    }
    return [];
  });
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
  const [answered] = settled;
  if (answered !== undefined) {
    throw new ProblemError('tool_call_settled', `${answered} waits for nothing: it was answered before.`);
  }
  return answers;
}

/** The question that an answer was checked for was answered meanwhile, and the call has asked another one since. */
function asksAnother({ id, question }: WaitingCall, answer: Submitted, checked: CheckedAnswers): boolean {
  return 'answer' in answer && question !== null && question.name !== checked.get(id);
}

/** The content blocks of outputs: a text names no file. */
function contentsOf(submitted: readonly Submitted[]): GivenContent[] {
  return submitted.flatMap((answer, index) => {
    const blocks: readonly ContentBlock[] | string = 'output' in answer ? answer.output : '';
    return typeof blocks === 'string' ? [] : [{ blocks, path: `tool_outputs.${index}.output` }];
  });
}

const KINDS = ['output', 'approved', 'outcome', 'send_again', 'answer'] as const;
type Kind = (typeof KINDS)[number];

/** The kind of an output, by the one field that only outputs of that kind have. */
function kindOf(answer: Submitted): Kind {
  const kind = KINDS.find((each) => each in answer);
  if (kind === undefined) throw new Error('A tool output has no known field.');
  return kind;
}

const EXPECTED: Record<Awaiting, { kinds: readonly Kind[]; message: string }> = {
  approval: { kinds: ['approved'], message: 'the call waits for an approval: send `approved`' },
  output: { kinds: ['output'], message: 'the call waits for its output: send `output`' },
  answer: { kinds: ['answer'], message: 'the call asks a question: send `answer`' },
  outcome: {
    kinds: ['output', 'outcome', 'send_again'],
    message:
      'the call was sent already and waits for its outcome: send `output` (what came of it), `outcome: "unknown"`, ' +
      'or `send_again: true` to make it a second time',
  },
};

function toolAnswer(answer: Submitted, { question }: WaitingCall): SubmittedOutput {
  const toolCallId = answer.tool_call_id;
  if ('answer' in answer) {
    const kept = { name: question?.name ?? '', json: JSON.stringify(answer.answer) };
    return { toolCallId, status: 'pending', answer: kept };
  }
  if ('output' in answer) {
    const { output, is_error: isError } = answer;
    const content = typeof output === 'string' ? [{ type: 'text', text: output }] : output;
    return { toolCallId, status: 'completed', content, isError };
  }
  const told = (text: string) => ({ content: [{ type: 'text', text }], isError: true });
  if ('outcome' in answer) return { toolCallId, status: 'unknown', ...told(UNKNOWN_OUTCOME) };
  if ('send_again' in answer || answer.approved) return { toolCallId, status: 'pending' };
  const { reason = '' } = answer;
  return { toolCallId, status: 'completed', ...told(reason.trim() === '' ? DENIED : reason) };
}

/** The calls that are made a second time although the first may have taken effect, with their tools. */
function repeatsOf(calls: readonly WaitingCall[], submitted: readonly Submitted[]): RepeatedCall[] {
  const ids = new Set(submitted.flatMap((answer) => ('send_again' in answer ? [answer.tool_call_id] : [])));
  return calls.flatMap(({ id, name }) => (ids.has(id) ? [{ id, name }] : []));
}
