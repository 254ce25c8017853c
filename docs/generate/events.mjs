import {
  EVENT_TYPES,
  messageDeltaSchema,
  toolProgressSchema,
  turnFactSchema,
  WEBHOOK_EVENT_TYPES,
} from '@turnpike/contract';
import { routes } from '../../apps/api/dist/create-api.js';
import { describeRoutes } from '../../apps/api/dist/openapi/describe-routes.js';
import { code, table, WRITTEN } from './markdown.mjs';

const COMMON = new Set(['id', 'type', 'turn_id', 'sequence_number', 'created_at']);
const shapes = [...turnFactSchema.options, messageDeltaSchema, toolProgressSchema].map((schema) => ({
  types: schema.shape.type.options ?? [...schema.shape.type.values],
  description: schema.meta()?.description,
  fields: Object.keys(schema.shape).filter((name) => !COMMON.has(name)),
}));

const facts = EVENT_TYPES.map((type) => {
  const shape = shapes.find(({ types }) => types.includes(type));
  if (shape?.description === undefined) throw new Error(`${type} has no description.`);
  return [code(type), shape.fields.map(code).join(', '), shape.description];
});

const sent = describeRoutes(routes).webhooks;
const webhooks = [...WEBHOOK_EVENT_TYPES, 'ping'].map((type) => [code(type), `${sent[type].post.summary}.`]);

/** docs/reference/events.md */
export const events = `${WRITTEN}

# Events

From \`packages/contract/src/events.ts\` and \`webhooks.ts\`. The schemas are in \`/openapi.json\`.

## Events of a turn

\`GET /v1/turns/{turn_id}/events\` and \`GET /v1/sessions/{session_id}/events\`: [follow a turn](../how-to/streaming.md). All but \`message.delta\` are facts: rows with \`id\`, \`turn_id\`, \`sequence_number\` and \`created_at\`, written in the commit that makes them true.

${table(['type', 'its own fields', 'when'], facts)}

## Webhooks

[Receive webhooks](../how-to/webhooks.md). \`data\` of a \`turn.*\` event holds \`turn\` and \`truncated\`. An endpoint is sent all but \`turn.queued\` and \`turn.started\` unless it names its \`events\`; \`ping\` is sent on request.

${table(['type', 'when'], webhooks)}
`;
