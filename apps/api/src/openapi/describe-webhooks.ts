import { batchSchema, turnSchema, WEBHOOK_EVENT_TYPES, type WebhookEventType } from '@turnpike/contract';
import { z } from 'zod';
import type { ZodOpenApiPathItemObject, ZodOpenApiPathsObject } from 'zod-openapi';

type WebhookType = WebhookEventType | 'ping';

const MEANINGS: Record<WebhookType, string> = {
  'turn.queued': 'A turn was accepted',
  'turn.started': 'A worker claimed a turn',
  'turn.requires_action': 'A turn waits for tool outputs or an approval',
  'turn.completed': 'A turn completed',
  'turn.failed': 'A turn failed',
  'turn.cancelled': 'A turn was cancelled',
  'turn.incomplete': 'A turn was stopped by a limit',
  'batch.completed': 'All turns of a batch have ended',
  'batch.cancelled': 'A batch was cancelled, and its turns have ended',
  'webhook_endpoint.disabled': 'A webhook endpoint was disabled',
  'budget.threshold_reached': '80 % of a budget is spent',
  'budget.exhausted': 'A budget is spent',
  ping: 'A client requested a ping',
};

const signature = z.object({
  'webhook-id': z.string().meta({
    description: 'The same at every attempt: it identifies a repeated event.',
    example: 'evt_01kapjt9e8f7ga5vxq3c2m4n6r',
  }),
  'webhook-timestamp': z
    .string()
    .meta({ description: 'Seconds since 1970, of this attempt.', example: '1795867200' }),
  'webhook-signature': z.string().meta({
    description: 'HMAC-SHA256 of `id.timestamp.body`, one or two with a space between: Standard Webhooks.',
    example: 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  }),
});

const head = (type: WebhookType) => ({
  id: z.string().meta({ description: 'The `webhook-id`.', example: 'evt_01kapjt9e8f7ga5vxq3c2m4n6r' }),
  type: z.literal(type),
  created_at: z.iso.datetime(),
});

function bodyOf(type: WebhookType): z.ZodType {
  if (type.startsWith('batch.')) {
    return z.object({ ...head(type), data: z.object({ batch: batchSchema.omit({ defaults: true }) }) });
  }
  if (!type.startsWith('turn.')) {
    return z.object({ ...head(type), data: z.record(z.string(), z.unknown()) });
  }
  return z.object({
    ...head(type),
    sequence_number: z.int().meta({
      description: 'Its position among the events of the turn: webhooks may arrive in another order.',
    }),
    data: z.object({
      turn: turnSchema,
      truncated: z
        .boolean()
        .meta({ description: 'The turn was too large for a webhook: read the turn for the rest.' }),
    }),
  });
}

const TYPES = [...WEBHOOK_EVENT_TYPES, 'ping'] as const;

/** `turn.completed`: TurnCompletedWebhook. */
function nameOf(type: WebhookType): string {
  const words = type.split(/[._]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${words.join('')}Webhook`;
}

/** The bodies. The service writes them, so every field is present, as in a response. */
export const webhookSchemas: readonly z.ZodType[] = TYPES.map((type) =>
  bodyOf(type).meta({ id: nameOf(type) }),
);

/** The webhooks that the service sends, one entry for each type of event. */
export function describeWebhooks(): ZodOpenApiPathsObject {
  return Object.fromEntries(TYPES.map((type) => [type, describeWebhook(type)]));
}

function describeWebhook(type: WebhookType): ZodOpenApiPathItemObject {
  return {
    post: {
      operationId: `on_${type.replaceAll('.', '_')}`,
      summary: MEANINGS[type],
      description: `${MEANINGS[type]}. Sent to the endpoints that ask for \`${type}\`, at least once.`,
      tags: ['Webhooks'],
      // The receiver checks the signature: no key is sent.
      security: [],
      requestParams: { header: signature },
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: `#/components/schemas/${nameOf(type)}` } } },
      },
      responses: {
        '2XX': { description: 'Delivered.' },
        '410': { description: 'The receiver is gone: the endpoint is disabled.' },
        '4XX': {
          description: 'Not delivered; it is sent again later, as `Retry-After` of a 429 says.',
        },
        '5XX': {
          description: 'Not delivered; it is sent again later, as `Retry-After` of a 503 says.',
        },
      },
    },
  };
}
