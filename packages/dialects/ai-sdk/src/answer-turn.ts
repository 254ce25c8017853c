import {
  idSchema,
  submitToolOutputsSchema,
  type RequiredAction,
  type SubmitToolOutputs,
  type Turn,
} from '@turnpike/contract';
import { parse, refused, type UseCases } from '@turnpike/dialect-base';
import { z } from 'zod';
import type { ChatRequest, GivenMessage, GivenPart } from './chat-request.ts';
import { findChat, noChat } from './find-chat.ts';
import { waitsOf, type Wait } from './follow-turn.ts';

type AwaitedCall = RequiredAction['tool_calls'][number];

const toolPart = z.looseObject({
  toolCallId: z.string(),
  state: z.string(),
  output: z.unknown().optional(),
  errorText: z.string().optional(),
  approval: z
    .looseObject({ id: z.string(), approved: z.boolean().optional(), reason: z.string().nullish() })
    .optional(),
});
type ToolPart = z.output<typeof toolPart>;

/** What was answered: a turn, and the event that it waited since. */
export interface Answered {
  turn: Turn;
  wait: Wait;
}

/**
 * Answers a turn with the parts of its message: the newest of its waits that the message has responses to. It acts once:
 * a message that is posted again finds what it did. With other responses it is refused.
 */
export async function answerTurn(
  useCases: UseCases,
  request: ChatRequest,
  message: GivenMessage,
  path: string,
): Promise<Answered> {
  const session = await findChat(useCases, request.id);
  if (session === null) throw noChat();
  const turnId = idSchema('turn').safeParse(message.id).data;
  if (turnId === undefined) throw refused(`${path}.id`, 'is no message of this chat');
  const turn = await useCases.turns.read(turnId);
  if (turn.session_id !== session.id) throw noChat();
  await useCases.turns.checkStreamable(turnId);
  const responses = new Responses(message.parts, request.tool_outputs ?? [], path);
  const { waits } = await waitsOf(useCases, turnId);
  const wait = waits.findLast(({ action }) => responses.hasAny(action));
  if (wait === undefined)
    throw refused(
      `${path}.parts`,
      'have no response to anything that the turn waits for: send a new message',
    );
  const outputs = parse(submitToolOutputsSchema, {
    tool_outputs: wait.action.tool_calls.map((call) => responses.to(call)),
  });
  const key = JSON.stringify([turnId, wait.sequenceNumber]);
  const accepted = await useCases.turns.answer(turnId, outputs, {
    scope: 'ai-sdk answer',
    key,
    means: outputs,
  });
  return { turn: accepted.turn, wait };
}

/** What a message, and the outputs beside it, say to the calls that a turn waits for. */
class Responses {
  readonly #parts: Map<string, { part: ToolPart; path: string }>;
  readonly #outputs: Map<string, unknown>;
  readonly #path: string;

  constructor(parts: readonly GivenPart[], outputs: readonly { tool_call_id: string }[], path: string) {
    this.#path = path;
    this.#outputs = new Map(outputs.map((output) => [output.tool_call_id, output]));
    this.#parts = new Map(
      parts.flatMap((given, index) => {
        const part = toolPart.safeParse(given).data;
        return part === undefined ? [] : [[part.toolCallId, { part, path: `${path}.parts.${index}` }]];
      }),
    );
  }

  hasAny({ tool_calls: calls }: RequiredAction): boolean {
    return calls.some((call) => this.#find(call) !== null);
  }

  /** Throws `invalid_request` where there is none. */
  to(call: AwaitedCall): unknown {
    const response = this.#find(call);
    if (response !== null) return response;
    throw refused(
      `${this.#path}.parts`,
      `must have a response to each call that the turn waits for: ${call.name} (${call.id}) awaits an ${call.awaiting}`,
    );
  }

  #find(call: AwaitedCall): unknown {
    const given = this.#outputs.get(call.id);
    if (given !== undefined) return given;
    const found = this.#parts.get(call.tool_use_id);
    if (found === undefined) return null;
    if (call.awaiting === 'output') return outputOf(call.id, found.part);
    return call.awaiting === 'approval' ? approvalOf(call.id, found.part, found.path) : null;
  }
}

function outputOf(
  id: string,
  { state, output, errorText }: ToolPart,
): SubmitToolOutputs['tool_outputs'][number] | null {
  if (state === 'output-available')
    return {
      tool_call_id: id,
      output: typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null'),
      is_error: false,
    };
  if (state === 'output-error') return { tool_call_id: id, output: errorText ?? '', is_error: true };
  return null;
}

function approvalOf(
  id: string,
  { approval }: ToolPart,
  path: string,
): SubmitToolOutputs['tool_outputs'][number] | null {
  if (approval?.id !== id || approval.approved === undefined) return null;
  const { approved, reason } = approval;
  if (!approved)
    return { tool_call_id: id, approved: false, ...(reason == null || reason === '' ? {} : { reason }) };
  if (reason != null && reason !== '')
    throw refused(`${path}.approval.reason`, 'cannot be given with an approval: the model would not see it');
  return { tool_call_id: id, approved: true };
}
