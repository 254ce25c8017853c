import {
  isFinal,
  isText,
  textOf,
  type ContentBlock,
  type messageSchema,
  type stepSchema,
  type Turn,
} from '@turnpike/contract';
import type { UseCases } from '@turnpike/dialect-base';
import type { z } from 'zod';
import { actionData } from './chat-encoder.ts';
import { readSource, type ChatSource } from './chat-source.ts';
import { MESSAGE_ID } from './find-chat.ts';
import { filesIn, showStep, valueOf, type ShownCall } from './shown-step.ts';
import { endMetadata, NO_RESULT, startMetadata, UNKNOWN } from './turn-metadata.ts';

type Message = z.infer<typeof messageSchema>;
type Step = z.infer<typeof stepSchema>;
type CallOfStep = Step['tool_calls'][number];

export interface ShownMessage {
  id: string;
  role: 'user' | 'assistant';
  metadata?: Record<string, unknown>;
  parts: Record<string, unknown>[];
}

/**
 * The messages of a turn as the client has them: of its user, and of the assistant once it has ended or waits. While it
 * runs, its stream has that one, from the beginning.
 */
export async function messagesOfTurn(
  useCases: UseCases,
  turn: Turn,
  origin: string,
): Promise<ShownMessage[]> {
  const source = await readSource(useCases, turn, origin);
  const messages = await useCases.turns.messages(turn.id);
  const asked = userMessages(turn, messages, origin);
  if (!isFinal(turn.status) && turn.status !== 'requires_action') return asked;
  const parts = partsOf(source, await useCases.turns.steps(turn.id));
  if (parts.length === 0) return asked;
  const metadata = {
    ...startMetadata(turn),
    ...(isFinal(turn.status) ? endMetadata(turn) : { status: turn.status }),
  };
  return [...asked, { id: turn.id, role: 'assistant', metadata, parts }];
}

/** What the turn was submitted with has the id of its client; what joined it later has its own. */
function userMessages({ metadata }: Turn, messages: readonly Message[], origin: string): ShownMessage[] {
  const { [MESSAGE_ID]: id, ...labels } = metadata;
  const shown = messages.flatMap(({ id: ownId, role, content }): ShownMessage[] => {
    const parts = role === 'user' ? userParts(content, origin) : [];
    return parts.length === 0 ? [] : [{ id: ownId, role: 'user', parts }];
  });
  const [first, ...others] = shown;
  if (first === undefined) return [];
  const labelled = Object.keys(labels).length === 0 ? {} : { metadata: labels };
  return [{ ...first, id: id ?? first.id, ...labelled }, ...others];
}

/** What only the model is told, such as a tool's result, is no part. */
function userParts(content: readonly ContentBlock[], origin: string): Record<string, unknown>[] {
  return content.flatMap((block): Record<string, unknown>[] =>
    isText(block)
      ? [{ type: 'text', text: block.text, state: 'done' }]
      : filesIn([block], origin).map((file) => ({ ...file })),
  );
}

function partsOf(source: ChatSource, steps: readonly Step[]): Record<string, unknown>[] {
  const { turn } = source;
  const parts = steps.flatMap((step) => (step.type === 'model_call' ? partsOfStep(source, step) : []));
  const waits = (turn.required_action?.tool_calls ?? []).filter(
    ({ awaiting }) => awaiting === 'outcome' || awaiting === 'answer',
  );
  return [...parts, ...waits.map((call) => ({ type: 'data-action', id: call.id, data: actionData(call) }))];
}

function partsOfStep(source: ChatSource, step: Step): Record<string, unknown>[] {
  const { turn, thinks, origin } = source;
  const { reasoning, text, calls, sources } = showStep(turn.id, step.index, step.content, source);
  const said = text === '' ? [] : [{ type: 'text', text, state: 'done' }];
  const thought =
    reasoning === null
      ? []
      : [{ type: 'reasoning', id: `reasoning-${step.index}`, text: reasoning, state: 'done' }];
  const outputs = step.tool_calls.flatMap(({ output, is_error: isError }) =>
    output === null || isError ? [] : filesIn(output, origin),
  );
  return [
    { type: 'step-start' },
    ...(thinks ? [...thought, ...said] : [...said, ...thought]),
    ...calls.map((call) => partOfCall(turn, call, step.tool_calls)),
    ...sources.map((each) => ({ ...each })),
    ...outputs.map(({ mediaType, url }) => ({ type: 'file', mediaType, url })),
  ];
}

function partOfCall(turn: Turn, shown: ShownCall, calls: readonly CallOfStep[]): Record<string, unknown> {
  const { toolCallId, toolName, input, isOurs, result } = shown;
  const call = calls.find(({ tool_use_id: id }) => id === toolCallId);
  return {
    type: `tool-${toolName}`,
    toolCallId,
    input,
    ...(isOurs ? { providerExecuted: true } : {}),
    ...(result === undefined ? stateOf(turn, call) : { state: 'output-available', output: result }),
  };
}

function stateOf(turn: Turn, call: CallOfStep | undefined): Record<string, unknown> {
  const isSettled = call?.status === 'completed' || call?.status === 'unknown';
  if (call !== undefined && isSettled) {
    const { output, is_error: isError } = call;
    if (output === null || call.status === 'unknown') return { state: 'output-error', errorText: UNKNOWN };
    if (isError) return { state: 'output-error', errorText: textOf(output) };
    return { state: 'output-available', output: valueOf(output) };
  }
  if (isFinal(turn.status)) return { state: 'output-error', errorText: NO_RESULT };
  const waits = turn.required_action?.tool_calls.some(
    ({ id, awaiting }) => id === call?.id && awaiting === 'approval',
  );
  return call !== undefined && waits === true
    ? { state: 'approval-requested', approval: { id: call.id } }
    : { state: 'input-available' };
}
