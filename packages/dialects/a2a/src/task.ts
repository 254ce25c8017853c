import { isFinal, textOf, type RequiredAction, type Turn, type TurnStatus } from '@turnpike/contract';
import type { SessionMessage } from '@turnpike/dialect-base';
import { toParts } from './to-parts.ts';
import type { Artifact, Message, Part, Task, TaskState, TaskStatus } from './wire.ts';

const STATES: Record<TurnStatus, TaskState> = {
  queued: 'TASK_STATE_SUBMITTED',
  in_progress: 'TASK_STATE_WORKING',
  requires_action: 'TASK_STATE_INPUT_REQUIRED',
  cancelling: 'TASK_STATE_WORKING',
  completed: 'TASK_STATE_COMPLETED',
  failed: 'TASK_STATE_FAILED',
  cancelled: 'TASK_STATE_CANCELED',
  // A limit stopped it before the agent was done.
  incomplete: 'TASK_STATE_FAILED',
};

/** What a status is made of. */
export type ToldTurn = Pick<
  Turn,
  | 'id'
  | 'session_id'
  | 'status'
  | 'required_action'
  | 'error'
  | 'stop_reason'
  | 'created_at'
  | 'started_at'
  | 'finished_at'
>;

/** The model that refuses has decided not to do the task. */
const isRefusal = (turn: Pick<Turn, 'status' | 'stop_reason'>): boolean =>
  turn.status === 'completed' && turn.stop_reason === 'refusal';

export function stateOf(turn: Pick<Turn, 'status' | 'stop_reason'>): TaskState {
  return isRefusal(turn) ? 'TASK_STATE_REJECTED' : STATES[turn.status];
}

/** The statuses of the turns whose tasks may be in this state. */
export function statusesOf(state: TaskState): TurnStatus[] {
  const shown: TaskState = state === 'TASK_STATE_REJECTED' ? 'TASK_STATE_COMPLETED' : state;
  return (Object.keys(STATES) as TurnStatus[]).filter((status) => STATES[status] === shown);
}

type Named = Pick<Turn, 'id' | 'session_id'>;

/** A message of the agent about its task. Its id is the same whenever it is read. */
function said(turn: Named, of: string, parts: Part[]): Message {
  return {
    messageId: `${turn.id}-${of}`,
    contextId: turn.session_id,
    taskId: turn.id,
    role: 'ROLE_AGENT',
    parts,
  };
}

export function statusOf(turn: ToldTurn): TaskStatus {
  const { status, error, stop_reason: reason, created_at: createdAt } = turn;
  const timestamp = turn.finished_at ?? turn.started_at ?? createdAt;
  const state = stateOf(turn);
  if (turn.required_action !== null && status === 'requires_action')
    return { state, timestamp, message: questionOf(turn, turn.required_action) };
  if (status === 'cancelling')
    return { state, timestamp, message: said(turn, 'status', [{ text: 'The task is being cancelled.' }]) };
  if (!isFinal(status) || status === 'completed' || status === 'cancelled') return { state, timestamp };
  const text = error === null ? `The task was stopped by a limit: ${reason ?? 'unknown'}.` : error.message;
  const data = { code: error?.code ?? reason };
  return { state, timestamp, message: said(turn, 'status', [{ text }, json(data)]) };
}

const json = (data: unknown): Part => ({ data, mediaType: 'application/json' });

/** What the task waits for: for a person as text, for a program as the calls of `required_action`. */
export function questionOf(turn: Named, action: RequiredAction): Message {
  const lines = action.tool_calls.map(({ name, awaiting, question }) => {
    if (question !== null) return question.text;
    if (awaiting === 'approval') return `May ${name} be called?`;
    if (awaiting === 'outcome') return `${name} was called, and no outcome is known.`;
    return `The output of ${name} is needed.`;
  });
  const calls = action.tool_calls.map(({ id }) => id).join('-');
  const data = { tool_calls: action.tool_calls, expires_at: action.expires_at };
  return said(turn, `asks-${calls}`, [{ text: lines.join('\n') }, json(data)]);
}

/** A model call of a turn: what a step and its event have in common. */
interface ModelCall {
  type: string;
  index: number;
  content: readonly { type: string }[];
}

/** What the agent said in one model call; null where it said nothing. */
export function textOfStep({ type, content }: ModelCall): string | null {
  const text = type === 'model_call' ? textOf(content) : '';
  return text === '' ? null : text;
}

/** The text of one model call as an artifact: each has an artifact of its own, the answer is the last. */
export function textArtifact(stepIndex: number, text: string): Artifact {
  return { artifactId: `text-${stepIndex}`, name: 'text', parts: [{ text }] };
}

/** The value of an agent with an output format, beside its text; null where there is none. */
export function parsedArtifact(turn: Turn): Artifact | null {
  const { output_parsed: value } = turn;
  return value === null || value === undefined
    ? null
    : { artifactId: 'value', name: 'value', parts: [json(value)] };
}

/** Everything that the task has produced. */
export function artifactsOf(turn: Turn, steps: readonly ModelCall[]): Artifact[] {
  const texts = steps.flatMap((step) => {
    const text = textOfStep(step);
    return text === null ? [] : [textArtifact(step.index, text)];
  });
  const value = parsedArtifact(turn);
  return value === null ? texts : [...texts, value];
}

/** The client's messages, oldest first. Of the agent there are none: what it says is in artifacts. */
export function historyOf(turn: Named, messages: readonly SessionMessage[]): Message[] {
  return messages.flatMap(({ id, role, content }): Message[] => {
    const parts = role === 'user' ? toParts(content) : [];
    if (parts.length === 0) return [];
    return [{ messageId: id, contextId: turn.session_id, taskId: turn.id, role: 'ROLE_USER', parts }];
  });
}

/** A turn as a task. */
export function taskOf(turn: Turn, more: { artifacts?: Artifact[]; history?: Message[] }): Task {
  const { artifacts, history } = more;
  return {
    id: turn.id,
    contextId: turn.session_id,
    status: statusOf(turn),
    ...(artifacts === undefined ? {} : { artifacts }),
    ...(history === undefined || history.length === 0 ? {} : { history }),
    ...(Object.keys(turn.metadata).length === 0 ? {} : { metadata: turn.metadata }),
  };
}
