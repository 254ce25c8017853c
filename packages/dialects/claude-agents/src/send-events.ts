import {
  ProblemError,
  submitToolOutputsSchema,
  submitTurnSchema,
  type Session,
  type Turn,
} from '@turnpike/contract';
import { parse, refused, type Accepted, type UseCases } from '@turnpike/dialect-base';
import { laterInTheirWords } from './errors.ts';
import { ofConfirmation, ofInterrupt, ofMessage, ofResult } from './event-ids.ts';
import { callIdOf, type EventParams, type UserMessageParams } from './event-params.ts';
import { inputBlocks } from './input-blocks.ts';
import { LABELS, STRATEGY, strategySchema } from './labels.ts';
import { versionOf } from './session.ts';

type Answer = Extract<EventParams, { type: 'user.custom_tool_result' | 'user.tool_confirmation' }>;

/** What a request sends: one thing that a turn can be made of, or be told. */
type Sent =
  | { kind: 'message'; message: UserMessageParams; index: number; interrupts: boolean }
  | { kind: 'answers'; answers: Answer[] }
  | { kind: 'interrupt' };

/** Throws `invalid_request` for events that cannot be sent together. */
function sentBy(events: readonly EventParams[]): Sent {
  const answers = events.filter(
    (event): event is Answer =>
      event.type === 'user.custom_tool_result' || event.type === 'user.tool_confirmation',
  );
  if (answers.length === events.length) return { kind: 'answers', answers };
  const [first, second, third] = events;
  if (first?.type === 'user.interrupt' && second === undefined) return { kind: 'interrupt' };
  const interrupts = first?.type === 'user.interrupt';
  const message = interrupts ? second : first;
  const rest = interrupts ? third : second;
  if (message?.type === 'user.message' && rest === undefined)
    return { kind: 'message', message, index: interrupts ? 1 : 0, interrupts };
  throw refused(
    'events',
    'must be one user.message, one user.interrupt, an interrupt and then a message, or answers to tools: each request is one commit',
  );
}

/** Does what the events of a request say, once for its idempotency key. Returns them as they were accepted. */
export async function sendEvents(
  useCases: UseCases,
  session: Session,
  events: readonly EventParams[],
): Promise<object[]> {
  const sent = sentBy(events);
  const checkTakesEvents = (): void => {
    if (session.metadata[LABELS.archivedAt] !== undefined)
      throw refused('session_id', 'is archived: it takes no further events');
  };
  if (sent.kind === 'interrupt') {
    const [interrupted = session.id] = await useCases.turns.interrupt(session.id, checkTakesEvents);
    return [interruptEvent(interrupted)];
  }
  const { turn } = await useCases.turns.accept(async () => {
    checkTakesEvents();
    return sent.kind === 'answers'
      ? answer(useCases, session, sent.answers)
      : submit(useCases, session, sent);
  });
  if (sent.kind === 'answers') return sent.answers.map(answerEvent);
  const said = await messageEvent(useCases, turn, sent.message);
  return sent.interrupts ? [interruptEvent(session.id), said] : [said];
}

function submit(
  { turns }: UseCases,
  session: Session,
  { message, index, interrupts }: Extract<Sent, { kind: 'message' }>,
): Promise<Accepted> {
  const version = versionOf(session);
  const strategy = interrupts ? 'interrupt' : strategySchema.safeParse(session.metadata[STRATEGY]).data;
  const toTheirs = (path: string): string => path.replace(/^input/, `events.${index}.content`);
  return laterInTheirWords(toTheirs, async () => {
    const submission = parse(submitTurnSchema, {
      input: inputBlocks(message.content),
      ...(version === undefined ? {} : { agent_version: version }),
      ...(strategy === undefined ? {} : { multitask_strategy: strategy }),
    });
    return turns.submit({ of: 'session', sessionId: session.id, submission });
  });
}

/** The message of a turn as an event: the one that streams and lists have of it. */
async function messageEvent(
  { turns }: UseCases,
  turn: Turn,
  { content }: UserMessageParams,
): Promise<object> {
  const message = (await turns.messages(turn.id)).find(({ role }) => role === 'user');
  const id = ofMessage(message?.id ?? turn.id);
  return { id, type: 'user.message', content, processed_at: null };
}

/** Of the turn that it cancelled; of the session, where it is not known to have cancelled one. */
const interruptEvent = (id: string): object => ({
  id: ofInterrupt(id),
  type: 'user.interrupt',
  processed_at: null,
});

async function answer({ turns }: UseCases, session: Session, answers: readonly Answer[]): Promise<Accepted> {
  const [waiting] = await turns.list({ sessionId: session.id, statuses: ['requires_action'] }, { limit: 1 });
  if (waiting === undefined)
    throw new ProblemError('no_action_required', 'The session waits for no tool result and no confirmation.');
  const names = {
    tool_call_id: 'tool_use_id',
    approved: 'result',
    output: 'content',
    reason: 'deny_message',
  };
  const toTheirs = (path: string): string => {
    const [, index = '', field = '', ...rest] = path.split('.');
    const isCustom = answers[Number(index)]?.type === 'user.custom_tool_result';
    const theirs =
      field === 'tool_call_id' && isCustom
        ? 'custom_tool_use_id'
        : (Object.entries(names).find(([ours]) => ours === field)?.[1] ?? field);
    return ['events', index, theirs, ...rest].join('.');
  };
  const outputs = answers.map((each) =>
    each.type === 'user.custom_tool_result'
      ? {
          tool_call_id: callIdOf(each.custom_tool_use_id),
          output: each.content === undefined ? '' : inputBlocks(each.content),
          is_error: each.is_error ?? false,
        }
      : confirmed(each),
  );
  return laterInTheirWords(toTheirs, async () =>
    turns.answer(waiting.id, parse(submitToolOutputsSchema, { tool_outputs: outputs })),
  );
}

function confirmed({
  tool_use_id: toolUseId,
  result,
  deny_message: reason,
}: Extract<Answer, { type: 'user.tool_confirmation' }>): object {
  const id = callIdOf(toolUseId);
  if (result === 'allow') return { tool_call_id: id, approved: true };
  return { tool_call_id: id, approved: false, ...(reason == null ? {} : { reason }) };
}

function answerEvent(event: Answer): object {
  const callId = callIdOf('tool_use_id' in event ? event.tool_use_id : event.custom_tool_use_id);
  const id = event.type === 'user.tool_confirmation' ? ofConfirmation(callId) : ofResult(callId);
  return { ...event, id, processed_at: null };
}
