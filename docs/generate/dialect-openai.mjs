import { openaiDialect, REQUEST_FIELDS } from '../../packages/dialects/openai/dist/index.js';
import { code, table, WRITTEN } from './markdown.mjs';

const routes = openaiDialect.routes.map(({ method, path, scope, description, summary }) => [
  code(`${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`),
  code(scope),
  description ?? `${summary.split(', as ')[0]}.`,
]);

const fields = Object.entries(REQUEST_FIELDS).map(([name, { is, how }]) => [
  code(name),
  is,
  is === 'refused' ? `Refused unless it is null: ${how}.` : how,
]);

/** docs/reference/dialects/openai.md */
export const dialectOpenai = `${WRITTEN}

# OpenAI Responses

The official \`openai\` client works with Turnpike after a change of its base URL to \`/openai/v1\` and of its key:

\`\`\`ts
const client = new OpenAI({ baseURL: 'http://localhost:3000/openai/v1', apiKey: key });
const response = await client.responses.create({
  model: 'support',
  input: 'Where is my order?',
  background: true,
});
\`\`\`

A response is a turn, and a conversation is a session: \`resp_…\` and \`turn_…\`, \`conv_…\` and \`sess_…\` differ in nothing else, so what one API began the other can read. A turn that calls functions of its client is several responses: the first ends with the calls, and the next, \`resp_…_1\`, begins with their outputs. What cannot be translated is refused. \`DIALECTS=none\` turns the routes off ([settings](../settings.md)).

## Routes

${table(['route', 'scope', 'what it does'], routes)}

Not there: adding items to a conversation without a response, compacting, counting input tokens, and OpenAI's other APIs. An agent's approvals, questions and unknown outcomes are answered at \`/v1/turns/{turn_id}/tool_outputs\`; until then the response is \`in_progress\`.

## Fields of \`POST /openai/v1/responses\`

A field that is not in this table is refused.

${table(['field', 'is', 'how'], fields)}

An override that the agent's \`allowed_overrides\` does not name is refused with 403 and the code \`override_not_allowed\`; \`param\` names the field ([agents](../../how-to/agents.md#overrides-for-one-turn)). A \`previous_response_id\` that is not the newest of its conversation leaves the conversation as it is: the response is in a fork, whose id is its \`conversation\`. Responses that are copied there have ids of their own, and no events to stream.

## Items

${table(
  ['item', 'is', 'how'],
  [
    [
      'message of the role `user`',
      'mapped',
      'Input of the turn: text, images and files. Several messages become one.',
    ],
    ['message of the role `system` or `developer`', 'mapped', 'As `instructions`, after these.'],
    [
      '`function_call_output`',
      'mapped',
      'The output of a call. All calls of a response are answered in one request, and without messages beside them. A `call_id` names its turn, so `previous_response_id` may be left out.',
    ],
    [
      'message of the role `assistant`, `reasoning`, `function_call`, `mcp_call`, `item_reference`',
      'different',
      'An item that a response had, by its id or its `call_id`: the request continues that response, and what stands before the item is not read, since the session has it. With neither, refused, unless another that is named comes after it; and with one of another service, refused.',
    ],
    ['any other', 'refused', ''],
  ],
)}

A response has items of the types \`message\`, \`reasoning\` (what the model returns of its thinking, as a summary), \`function_call\` (a tool of the client), and \`mcp_call\` (any tool that runs here).

## The response

\`background\` is always true, since every turn runs in the background. \`previous_response_id\` is shown only within a turn. \`conversation\` is always there. \`status\` is that of the turn; \`requires_action\` for outputs of functions is \`completed\`. \`incomplete_details.reason\` is OpenAI's where it has one, else the turn's stop reason.

## Streams

The events are those of the official client, with \`sequence_number\`. The numbers have gaps, and are the same whenever the stream is read, at any process: \`starting_after\` continues a stream exactly, and so does the client's own filter. A stream ends after fifteen minutes; continue it. A cancelled response ends with \`response.incomplete\` and the status \`cancelled\`: the client has no event for it.

Text comes while the model writes it. Where a model call is made again, since its worker died or its stream broke, what it had written is void. The stream goes on if the new text begins with the old one; otherwise it ends with an \`error\` of the code \`stream_restarted\`: read it from its beginning. Events that are no longer kept cannot be streamed: 410, \`cursor_expired\`.

## The AI SDK

\`@ai-sdk/open-responses\` works with the URL \`…/openai/v1/responses\`. A loop of its tools is one turn: each request repeats what came before, and continues the turn that its calls name. Its version for \`ai\` 6 repeats what the model said without the ids of items, so it cannot go on with a conversation: that is refused. \`generateText\` takes what comes within \`DIALECT_WAIT_MS\` for the whole response; use \`streamText\` for turns that may take longer. Chats in pages have [a dialect of their own](../../how-to/ai-sdk.md).

## Webhooks

An endpoint that was made with \`"format": "openai"\` ([receive webhooks](../../how-to/webhooks.md)) is sent OpenAI's events, of all turns of its tenant, and \`client.webhooks.unwrap(body, headers, secret)\` verifies and reads them:

${table(
  ['event', 'when'],
  [
    [
      code('response.completed'),
      'A response is complete: its turn is, or waits for outputs of functions of its client.',
    ],
    [
      '`response.failed`, `response.cancelled`, `response.incomplete`',
      'Its turn ended so: `turn.failed`, `turn.cancelled`, `turn.incomplete`.',
    ],
    ['`batch.completed`, `batch.cancelled`', 'A batch of `/v1/batches` ended; `data.id` is its id.'],
    [code('ping'), 'On request, to test the endpoint.'],
  ],
)}

\`data.id\` is the response that ended with the event, also where the event is sent again later. Other events have no form in this format: they are refused at \`events\`. The client's own \`webhooks.create\` and its like are not there.

## Errors

\`{ "error": { "message", "type", "param", "code" } }\`, beside the members of a [problem](../problems.md), whose \`code\` it has. \`Idempotency-Key\` works as everywhere; the client sends none by itself, and repeats requests after connection errors: give it one (\`{ headers: { 'Idempotency-Key': key } }\`), or \`maxRetries: 0\`.
`;
