import { aiSdkDialect, CHUNK_ROWS, PART_ROWS, REQUEST_ROWS } from '@turnpike/dialect-ai-sdk';
import { code, table, WRITTEN } from './markdown.mjs';

const routes = aiSdkDialect.routes.map(({ method, path, scope, summary, description }) => [
  code(`${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`),
  code(scope),
  `${summary}.${description === undefined ? '' : ` ${description}`}`,
]);

const rows = (all) => Object.entries(all).map(([name, { fate, how }]) => [code(name), fate, how]);

/** docs/reference/dialects/ai-sdk.md */
export const dialectAiSdk = `${WRITTEN}

# AI SDK

A page that uses \`useChat\` of the [AI SDK](https://ai-sdk.dev) chats with an agent of Turnpike by the SDK's own transport; [how](../../how-to/ai-sdk.md). A chat is a session, and a message of the assistant is a turn, with its id. Version 7 of \`ai\` is served, and 6 with one exception (\`reset-step\`). The source of this page is \`packages/dialects/ai-sdk/src/conformance.ts\`, and a test compares it with the types of the official package.

**Guarantees.** A message is submitted once: posted again with its \`id\`, it gets the stream of the turn that it has. With another content it is refused (\`idempotency_key_reused\`); while the first request is being accepted, the second gets 409 (\`idempotency_key_in_use\`), and may be sent again. A response to an approval, or an output of a tool of the client, acts once, however often it is posted. A client that disconnects, or stops reading, does not stop the turn. A stream that was cut is read again from its beginning at any process: the client replaces what it has, so nothing is shown twice.

**Limits.** A key is kept for a day; after that, only the newest message of a chat is known to have been posted before. Two first messages of a chat that come at the same time do not begin two chats: one of them is refused.

## Routes

${table(['route', 'scope', 'what it does'], routes)}

The streams are UI message streams of version 1 (\`x-vercel-ai-ui-message-stream: v1\`). They are cut after fifteen minutes: resume them. An error is a problem of the API ([codes](../problems.md)); the client has its text as the error's message.

The label \`chat_id\` of a session names its chat, and the label \`message_id\` of a turn its message. An application that replaces the labels of such a session keeps \`chat_id\` and \`first_message_id\`.

## The body of \`POST /ai/chat\`

A field that is not in this table is refused.

${table(['field', '', 'how'], rows(REQUEST_ROWS))}

The \`metadata\` of a message of a user are the labels of its turn: up to 15 strings. Others are refused.

## Parts of messages

${table(['part', '', 'how'], rows(PART_ROWS))}

## Chunks of streams

${table(['chunk', '', 'how'], rows(CHUNK_ROWS))}
`;
