import { isToolUse, newId } from '@turnpike/contract';
import type { CompletedStep, ContentBlock, Message, ModelAnswer } from '@turnpike/contract';
import { validConversation } from './conversation.ts';
import { outcomeOf } from './outcome.ts';
import type { Model, ToolRunner, TurnLease } from './ports.ts';
import { noteStep, type OpenCall, type Progress } from './progress.ts';
import { stepCompleted, stepRestarted, stepStarted, toolStarted, turnEnded } from './turn-events.ts';

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
  const tools = parts.tools.declare(turn.agent);
  lease.assertHeld();
  const began = performance.now();
  let restarted = Promise.resolve();
  const answer = await parts.model.call(
    {
      tenantId: turn.tenantId,
      agent: turn.agent,
      messages: validConversation([...turn.history, ...progress.messages]),
      tools,
    },
    {
      signal: lease.signal,
      remainingMs: lease.remainingMs(),
      previousAttempts: progress.modelAttempts,
      onText: () => undefined,
      onRestart() {
        restarted = restarted.then(() => lease.advance({ events: [stepRestarted(progress.stepCount)] }));
        // Where it fails, the lease is lost, and so the call ends with that.
        restarted.catch(() => undefined);
      },
    },
  );
  await restarted;

  const step: CompletedStep = {
    id: newId('step'),
    type: 'model_call',
    model: answer.model,
    stopReason: answer.stopReason,
    usage: answer.usage,
    attempts: answer.attempts,
    providerRequestId: answer.providerRequestId,
    durationMs: performance.now() - began,
  };
  const content = usableContent(answer);
  const messages: Message[] = content.length === 0 ? [] : [{ role: 'assistant', content }];
  const openCalls = callsIn(content, answer.stopReason, lease, parts.tools);
  const ends = openCalls.length === 0 && answer.stopReason !== 'pause_turn';
  const outcome = ends ? outcomeOf(answer.stopReason, [...progress.messages, ...messages]) : null;
  await lease.advance({
    step,
    messages,
    askedCalls: openCalls,
    events: [
      stepCompleted(progress.stepCount, step),
      ...(outcome === null ? [stepStarted(progress.stepCount + 1)] : [turnEnded(outcome)]),
      ...openCalls.filter((call) => call.status === 'started').map(toolStarted),
    ],
    ...(outcome === null ? {} : { outcome }),
  });
  noteStep(progress, step, messages);
  progress.openCalls = openCalls;
  return ends;
}

/** Reasons that cut a message where it stood: its last block may lack its end. */
const CUTS = new Set(['max_tokens', 'model_context_window_exceeded', 'refusal']);

/** What is kept: a tool call that was cut off while it was written is none. */
function usableContent(answer: ModelAnswer): ContentBlock[] {
  const last = answer.content.at(-1);
  const isCut = CUTS.has(answer.stopReason) && last !== undefined && isToolUse(last);
  return isCut ? answer.content.slice(0, -1) : answer.content;
}

/**
 * The calls that this message asks for. They are `started` from the first, in the commit of
 * the message itself, since the next thing that happens is that they leave; a worker that is
 * stopping leaves them `pending` for the next one.
 */
function callsIn(
  content: readonly ContentBlock[],
  stopReason: string,
  lease: TurnLease,
  tools: ToolRunner,
): OpenCall[] {
  if (CUTS.has(stopReason)) return [];
  const { agent } = lease.turn;
  const starts = !lease.draining && !lease.signal.aborted;
  return content.filter(isToolUse).map((block) => ({
    id: newId('toolCall'),
    toolUseId: block.id,
    name: block.name,
    input: block.input,
    effect: tools.effectOf(agent, block.name, block.input),
    status: starts ? 'started' : 'pending',
    output: null,
    isError: false,
    ours: starts,
    recorded: false,
  }));
}
