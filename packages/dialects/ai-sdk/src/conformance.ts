/** What becomes of a field, of a part or of a chunk: `different` says in which way. */
export type Fate = 'mapped' | 'different' | 'refused' | 'not used';

export interface Row {
  fate: Fate;
  how: string;
}

const mapped = (how: string): Row => ({ fate: 'mapped', how });
const different = (how: string): Row => ({ fate: 'different', how });
const refused = (how: string): Row => ({ fate: 'refused', how });
const notUsed = (how: string): Row => ({ fate: 'not used', how });

/** The body of `POST /ai/chat`: what the client's transport sends, then what an application may add. */
export const REQUEST_ROWS: Record<string, Row> = {
  id: mapped('The chat: a session. The first message makes it. The id of a session names that session.'),
  messages: different(
    'Only the message that the request is about is read: the last one, or the one of the assistant that `messageId` names. The session has the others, as they were. A message of the role `system` is refused: the prompt is that of the agent.',
  ),
  trigger: different(
    '`submit-message`: a turn, or a response to one. `regenerate-message`: the turn is [made again in a fork](../../how-to/going-back.md), in which the chat goes on; a turn that runs is streamed. Refused for a chat that is named by the id of a session.',
  ),
  messageId: different(
    'An edited message is refused where it has been responded to: fork the session, and chat with the fork by its id.',
  ),
  agent: mapped('The agent of a new chat, by its id or its name. Default: the agent named `default`.'),
  overrides: mapped('As `overrides` of `POST /v1/turns`, where the agent allows them.'),
  confirmation: mapped(
    'With `regenerate-message`, where tool calls may be repeated: the `confirmation` of the refusal (`rerun_not_confirmed`) that named them.',
  ),
  tool_outputs: mapped(
    'Beside a message of the assistant: responses as `POST /v1/turns/{turn_id}/tool_outputs` takes them, for what no part of a message can say: an answer, an outcome.',
  ),
};

/** The parts of messages, by their types in the client's `UIMessagePart`. */
export const PART_ROWS: Record<string, Row> = {
  text: mapped('Of a user: text. `providerMetadata` is refused.'),
  file: mapped(
    'Of a user: an image, a PDF or text, as a data URL; an image or a PDF by its URL; a file that was uploaded by `providerReference: { turnpike: file_id }`. Others are refused.',
  ),
  tool: mapped(
    'Of the assistant: an output or an error of a tool of the client, or the response to an approval, for each call that the turn waits for.',
  ),
  'dynamic-tool': mapped('As `tool`. None is sent.'),
  data: refused('Of a user. `data-action` is sent: what the turn waits for that no part can respond to.'),
  reasoning: refused('Of a user.'),
  'reasoning-file': refused('Of a user. None is sent.'),
  'source-url': refused('Of a user.'),
  'source-document': refused('Of a user.'),
  'steering-message': refused('Of a user. None is sent.'),
  'step-start': refused('Of a user.'),
  custom: refused('Of a user. None is sent.'),
};

/** The chunks of a UI message stream. */
export const CHUNK_ROWS: Record<string, Row> = {
  start: mapped(
    '`messageId` is the id of the turn. `messageMetadata`: `turn_id`, `session_id`, `created_at`.',
  ),
  'start-step': mapped('A model call.'),
  'text-start': mapped('One text of a model call.'),
  'text-delta': mapped('While the model writes.'),
  'text-end': mapped('The text is committed.'),
  'reasoning-start': different(
    'Before the text, where the agent thinks; what the model returns of its thinking comes once the call is committed, and may be empty.',
  ),
  'reasoning-delta': different('Once, with all of it.'),
  'reasoning-end': mapped('With it.'),
  'tool-input-start': notUsed('A call is shown once it is committed, with its whole input.'),
  'tool-input-delta': notUsed('As `tool-input-start`.'),
  'tool-input-available': mapped(
    'A call. `toolCallId` is the id that the model gave it, `providerExecuted` is true for all but tools of the client.',
  ),
  'tool-input-error': notUsed('A call with an input that does not fit has a `tool-output-error`.'),
  'tool-approval-request': mapped(
    '`approvalId` is the id of the call. Sent while it is waited for: a stream that is read again later leaves it out.',
  ),
  'tool-approval-response': notUsed('The client that responded knows.'),
  'tool-output-available': different(
    'A text that is a JSON object or list is that value, another text is itself, anything else is content blocks, without their bytes.',
  ),
  'tool-output-error': mapped(
    'An error, a denial with its reason, an unknown outcome, or the end of the turn without a result.',
  ),
  'tool-output-denied': notUsed('A denied call has a `tool-output-error`.'),
  'source-url': mapped('What the text cites, once for each model call.'),
  'source-document': mapped('As `source-url`.'),
  file: mapped('An image or a document in the output of a tool.'),
  'reasoning-file': notUsed('None is there.'),
  data: mapped(
    '`data-action`: an answer or an outcome that the turn waits for. `data-turn`, transient: a child turn began or requires an action, or no worker has the tools of the turn.',
  ),
  custom: notUsed('None is there.'),
  'steering-message': notUsed('What joined a turn is a message of the history.'),
  'finish-step': mapped('Before the next step, and at the end.'),
  'reset-step': mapped(
    'Where a model call is made again and writes something else: it takes back what the step has shown. Version 6 does not know it: its stream ends with an error then, and `resumeStream` shows the whole.',
  ),
  'message-metadata': notUsed('Metadata comes with `start` and `finish`.'),
  error: mapped('The turn has failed. Nothing follows it.'),
  abort: mapped('The turn was cancelled. `finish` follows.'),
  finish: mapped(
    '`finishReason` is `stop`, `length`, `content-filter`, `other`, or `tool-calls` where the turn waits for its client. `messageMetadata`: `status`, `stop_reason`, `usage`, `cost_micros`.',
  ),
};
