import {
  EVENT_ROWS,
  FIELD_ROWS,
  OTHER_RESOURCES,
  ROUTE_ROWS,
} from '../../packages/dialects/claude-agents/dist/index.js';
import { code, table, WRITTEN } from './markdown.mjs';

const methods = Object.entries(ROUTE_ROWS).map(([name, { route, fate, how }]) => [
  code(name),
  route === '' ? '' : code(route),
  fate,
  how,
]);
const others = Object.entries(OTHER_RESOURCES).map(([name, why]) => [code(name), `${why}.`]);
const rowsOf = (rows) => Object.entries(rows).map(([name, { fate, how }]) => [code(name), fate, how]);
const objects = Object.entries(FIELD_ROWS).map(
  ([name, fields]) => `### ${name}\n\n${table(['field', '', 'how'], rowsOf(fields))}`,
);

/** docs/reference/dialects/claude-agents.md */
export const claudeAgentsPage = `${WRITTEN}

# Claude Managed Agents

Anthropic's SDK uses agents and sessions of Turnpike after a change of its base URL and of its key: \`client.beta.agents\` and \`client.beta.sessions\`, with their events. [How to](../../how-to/claude-managed-agents.md). The source of this page is \`packages/dialects/claude-agents/src/conformance.ts\`, and a test compares it with the types of the SDK.

\`\`\`ts
const client = new Anthropic({ baseURL: 'http://localhost:3000/claude', apiKey: key });
\`\`\`

An agent is an agent, and so are its versions; a session is a session, and their ids are ours. A \`user.message\` is a turn. So what one API began the other can read. \`DIALECTS\` turns the routes off ([settings](../settings.md)). The key is sent as \`Authorization: Bearer\` or as \`x-api-key\`.

**Guarantees.** A request that sends events is one commit. With an \`Idempotency-Key\` it is done once; the client sends none by itself, and repeats requests after connection errors: give it one (\`{ headers: { 'Idempotency-Key': key } }\`), or \`maxRetries: 0\`. An event has its id from what is stored, so lists and streams of any process agree. Budgets, limits, scopes and tenants are those of the other routes: reading needs \`agents:read\` or \`turns:read\`, changing \`agents:write\` or \`turns:write\`.

**Errors.** \`{ "type": "error", "error": { "type", "message" }, "request_id" }\`, beside the members of a [problem](../problems.md), whose \`code\` says more. What is not in the tables is refused, and nothing is left out silently.

## Methods

The routes stand under \`/claude\`.

${table(['method', 'route', '', 'how'], methods)}

Not there:

${table(['resource', 'why'], others)}

## Events

${table(['type', '', 'how'], rowsOf(EVENT_ROWS))}

A stream that asks for \`event_deltas\` has \`event_start\` and \`event_delta\` as well: text that the model is writing. It is a preview, and void where the call begins again (\`span.model_request_end\`, with \`is_error\`).

## Fields

Lists also take \`limit\` (100 at most; 1,000 events) and \`page\`.

${objects.join('\n\n')}
`;
