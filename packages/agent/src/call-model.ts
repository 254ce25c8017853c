import { requestedCall, isFinal, isToolUse, newId, storedBlock } from '@turnpike/contract';
import type { ContentBlock, Message, ModelResponse, NewMessage } from '@turnpike/contract';
import { askModel } from './ask-model.ts';
import { summaryMessages } from './compact-history.ts';
import { outcomeOf } from './outcome.ts';
import { isBeyondMost, NOT_MADE } from './most-calls.ts';
import type { Model, ToolRunner, TurnLease } from './ports.ts';
import { commit, type OpenCall, type Progress } from './progress.ts';
import { shownMessages } from './shown-messages.ts';
import { stepCompleted, stepStarted, toolStarted, turnEnded } from './turn-events.ts';

/**
 * One model call, committed as a step: the whole message, what it cost, the calls that it asks
 * for, and the turn's end where this is its end. Returns true when the turn has ended.
 * Throws what the model, the lease and the signal throw; then nothing is committed.
 */
export async function callModel(
  lease: TurnLease,
  progress: Progress,
  parts: { model: Model; tools: ToolRunner },
): Promise<boolean> {
  const { turn } = lease;
  const { answer, step } = await askModel(lease, progress, parts.model, 'model_call', {
    tenantId: turn.tenantId,
    turnId: turn.id,
    sessionId: turn.sessionId,
    epoch: turn.epoch,
    agent: turn.agent,
    access: turn.modelAccess,
    messages: [
      ...summaryMessages(progress.summary),
      ...shownMessages(progress.history),
      ...shownMessages(progress.messages),
      ...goOn(progress),
    ],
    tools: parts.tools.declare(turn),
  });
  const content = usableContent(answer);
  const messages: NewMessage[] =
    content.length === 0 ? [] : [{ role: 'assistant', content: content.map(storedBlock) }];
  const openCalls = await callsIn(content, answer.stopReason, lease, parts.tools);
  const ends = openCalls.length === 0 && answer.stopReason !== 'pause_turn';
  const outcome = ends ? outcomeOf(answer.stopReason, [...progress.messages, ...messages]) : null;
  const { status } = await commit(lease, progress, {
    step,
    messages,
    requestedCalls: openCalls,
    events: [
      stepCompleted(progress.stepCount, step),
      ...(outcome === null ? [stepStarted(progress.stepCount + 1)] : [turnEnded(outcome)]),
      ...openCalls.filter((call) => call.status === 'started').map(toolStarted),
    ],
    ...(outcome === null ? {} : { outcome }),
  });
  progress.openCalls = openCalls;
  return isFinal(status);
}

/** A turn that goes on where another was stopped in its answer: a conversation may not end with an answer. */
function goOn({ history, messages }: Progress): Message[] {
  const isCut = messages.length === 0 && history.at(-1)?.partial === true;
  return isCut ? [{ role: 'user', content: [{ type: 'text', text: GO_ON }] }] : [];
}

const GO_ON = 'Your answer was cut off there. Go on from where it ends, without repeating what you said.';

/** Reasons that cut a message where it stood: its last block may lack its end. */
const CUTS = new Set(['max_tokens', 'model_context_window_exceeded', 'refusal']);

/** What is kept: a tool call that was cut off while it was written is none. */
function usableContent(answer: ModelResponse): ContentBlock[] {
  const last = answer.content.at(-1);
  const isCut = CUTS.has(answer.stopReason) && last !== undefined && isToolUse(last);
  return isCut ? answer.content.slice(0, -1) : answer.content;
}

/**
 * The calls that this message asks for. They are `started` from the first, in the commit of
 * the message itself, since the next thing that happens is that they leave; what must come from
 * outside first is `pending`, and so is all that a worker which is stopping leaves to the next one.
 */
async function callsIn(
  content: readonly ContentBlock[],
  stopReason: string,
  lease: TurnLease,
  tools: ToolRunner,
): Promise<OpenCall[]> {
  if (CUTS.has(stopReason)) return [];
  const asked = content.filter(isToolUse).map(requestedCall);
  const plans = await Promise.all(
    asked.map((call, position) =>
      isBeyondMost(position) ? Promise.resolve(NOT_MADE) : tools.planOf(lease.turn, call),
    ),
  );
  const mayStart = !lease.draining && !lease.signal.aborted;
  return asked.map((call, position): OpenCall => {
    const plan = plans[position] ?? NOT_MADE;
    const starts = mayStart && plan.awaiting === null;
    return {
      id: newId('toolCall'),
      ...call,
      ...plan,
      status: starts ? 'started' : 'pending',
      output: null,
      isError: false,
      ours: starts,
      left: false,
      recorded: false,
    };
  });
}
