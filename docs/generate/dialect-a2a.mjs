import { FIELD_ROWS, METHOD_ROWS } from '@turnpike/dialect-a2a';
import { code, table, WRITTEN } from './markdown.mjs';

const methods = Object.entries(METHOD_ROWS).map(([name, { path, fate, how }]) => [
  code(name),
  code(path),
  fate,
  how,
]);
const objects = Object.entries(FIELD_ROWS).map(([name, fields]) => {
  const rows = Object.entries(fields).map(([field, { fate, how }]) => [code(field), fate, how]);
  return `### ${name}\n\n${table(['field', '', 'how'], rows)}`;
});

/** docs/reference/dialects/a2a.md */
export const dialectA2a = `${WRITTEN}

# A2A

Clients of the [Agent2Agent protocol](https://a2a-protocol.org) 1.0 use agents of Turnpike unchanged: each agent is an A2A agent, a turn is a task, a session is a context. The source of this page is \`packages/dialects/a2a/src/conformance.ts\`, and a test compares it with the types of the official SDK.

\`\`\`ts
const factory = new ClientFactory(); // of @a2a-js/sdk/client, with a fetch that adds the API key
const client = await factory.createFromUrl('https://turnpike.invalid/a2a/agent_01kapjt9e8f7ga5vxq3c2m4n6r/');
\`\`\`

The public card, \`/a2a/{agent_id}/.well-known/agent-card.json\`, needs no key. It is made of the request alone: it says how to speak to an agent, and not even whether there is one. What the agent is, its extended card says. Everything but the public card needs a key with \`turns:read\`; to send, to cancel and to change push configurations, also \`turns:write\`.

**Guarantees.** A message is given to its agent once: sent again with its \`messageId\`, also by the other binding or as a stream, it gets the task that it has. With another content it is refused. A stream that was cut is continued by SubscribeToTask at any process: it begins with the task as it is. A notification is a delivery, written with the event that it is of and retried; it has a signature (Standard Webhooks) as well, by the key of \`POST /v1/webhook_secret/rotate\`.

**Errors.** Each error is a problem of the API ([codes](../problems.md)) with an \`error\` in the form of the binding. JSON-RPC responds with HTTP status 200 where A2A or JSON-RPC has a code for the error, and else with the status of the problem and the code \`-32000\`.

## Methods

${table(['method', 'HTTP+JSON', '', 'how'], methods)}

## Fields

${objects.join('\n\n')}
`;
