import { isFinal, isToolUse, newId, requestedCall, storedBlock } from '@turnpike/contract';
import type { ContentBlock, Message, ModelRequest, ModelResponse, NewMessage } from '@turnpike/contract';
import { callModel } from './call-model.ts';
import { checkOutput } from './check-output.ts';
import { commit } from './commit.ts';
import { summaryMessages } from './compact-history.ts';
import { isOverCallLimit, SKIPPED_PLAN } from './call-limit.ts';
import { outcomeOf } from './outcome.ts';
import type { OpenCall, Progress } from './progress.ts';
import { shownMessages } from './shown-messages.ts';
import { stepCompleted, stepStarted, toolStarted, turnEnded } from './turn-events.ts';
import type { TurnRun } from './turn-run.ts';

/**
 * One model call, committed as a step: the whole message, what it cost, the calls that it asks for, and the turn's
 * end where this is its end. Returns true when the turn has ended.
 * Throws what the model, the lease and the signal throw; then nothing is committed.
 */
export async function runModelStep(run: TurnRun): Promise<boolean> {
  const { progress } = run;
  const { response, step } = await callModel(run, 'model_call', requestOf(run));
  const content = usableContent(response);
  const messages: NewMessage[] =
    content.length === 0
      ? []
      : [{ role: 'assistant', content: content.map(storedBlock), container: response.container }];
  const openCalls = await callsIn(content, response.stopReason, run);
  const ends = openCalls.length === 0 && response.stopReason !== 'pause_turn';
  const position = {
    messages: [...progress.messages, ...messages],
    modelCalls: progress.modelCallCount + 1,
  };
  const checked = ends
    ? await checkOutput(run, outcomeOf(response.stopReason, position.messages), position)
    : null;
  const outcome = checked !== null && 'outcome' in checked ? checked.outcome : null;
  if (checked !== null && 'correction' in checked) messages.push(checked.correction);
  const { status } = await commit(run, {
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

/** The model's next request: the conversation as it is shown to it, and its tools. Throws as `ToolRunner.declare`. */
export function requestOf({ lease, progress, tools }: TurnRun): ModelRequest {
  const { turn } = lease;
  return {
    agent: turn.agent,
    access: turn.modelAccess,
    messages: [
      ...summaryMessages(progress.summary),
      ...shownMessages(progress.history),
      ...shownMessages(progress.messages),
      ...continuation(progress),
    ],
    tools: tools.declare(turn),
  };
}

/** After an earlier turn that ended in a partial response: a conversation may not end with the assistant. */
function continuation({ history, messages }: Progress): Message[] {
  const isNeeded = messages.length === 0 && history.at(-1)?.partial === true;
  return isNeeded ? [{ role: 'user', content: [{ type: 'text', text: CONTINUE }] }] : [];
}

const CONTINUE =
  'Your answer was interrupted there. Continue from where it ends, without repeating what you said.';

/** Stop reasons of a message that was truncated: its last block may be incomplete. */
const TRUNCATED = new Set(['max_tokens', 'model_context_window_exceeded', 'refusal']);

/** All but a tool call that was truncated. */
function usableContent({ content, stopReason }: ModelResponse): ContentBlock[] {
  const last = content.at(-1);
  const isTruncated = TRUNCATED.has(stopReason) && last !== undefined && isToolUse(last);
  return isTruncated ? content.slice(0, -1) : content;
}

/**
 * The calls that this message asks for. They are `started` in the commit of the message itself, since they are sent
 * right after it. A call that needs an approval or an output first is `pending`, and so is every call of a worker
 * that is stopping: the next worker sends it.
 */
async function callsIn(
  content: readonly ContentBlock[],
  stopReason: string,
  { lease, tools }: TurnRun,
): Promise<OpenCall[]> {
  if (TRUNCATED.has(stopReason)) return [];
  const requested = content.filter(isToolUse).map(requestedCall);
  const plans = await Promise.all(
    requested.map(async (call, position) =>
      isOverCallLimit(position) ? SKIPPED_PLAN : tools.planOf(lease.turn, call),
    ),
  );
  const mayStart = !lease.draining && !lease.signal.aborted;
  return requested.map((call, position): OpenCall => {
    const plan = plans[position] ?? SKIPPED_PLAN;
    const starts = mayStart && plan.awaiting === null;
    return {
      id: newId('toolCall'),
      ...call,
      ...plan,
      status: starts ? 'started' : 'pending',
      question: null,
      output: null,
      isError: false,
      attempts: starts ? 1 : 0,
      steps: [],
      startedHere: starts,
      sent: false,
      recorded: false,
    };
  });
}
