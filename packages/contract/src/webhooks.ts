import { z } from 'zod';
import { idSchema } from './ids.ts';
import { timestampSchema } from './times.ts';

/**
 * The events that a webhook endpoint can subscribe to. Steps and tool calls are not among them: a turn has many,
 * the event stream suits them better, and each would add a row to a worker's write.
 */
export const WEBHOOK_EVENT_TYPES = [
  'turn.queued',
  'turn.started',
  'turn.requires_action',
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
  'turn.incomplete',
  'batch.completed',
  'batch.cancelled',
  'webhook_endpoint.disabled',
  'budget.threshold_reached',
  'budget.exhausted',
] as const;

export const webhookEventTypeSchema = z.enum(WEBHOOK_EVENT_TYPES);
export type WebhookEventType = z.infer<typeof webhookEventTypeSchema>;

/** The words that webhooks of an endpoint are in: ours, or those of OpenAI's webhooks. */
export const webhookFormatSchema = z.enum(['turnpike', 'openai']).meta({
  description:
    "`openai`: the body of OpenAI's webhooks, which `client.webhooks.unwrap` of the `openai` package reads. It has only the events that OpenAI has a word for.",
});
export type WebhookFormat = z.infer<typeof webhookFormatSchema>;

const OPT_IN = new Set<WebhookEventType>(['turn.queued', 'turn.started']);
/** What an endpoint of the format `turnpike` is sent unless it names its events. */
export const DEFAULT_WEBHOOK_EVENTS: readonly WebhookEventType[] = WEBHOOK_EVENT_TYPES.filter(
  (type) => !OPT_IN.has(type),
);

/** The address guard checks it as well: when it is submitted, and at every connection. */
export const webhookUrlSchema = z.url({ protocol: /^https?$/ }).max(2_000);

const eventsSchema = z
  .array(webhookEventTypeSchema)
  .min(1)
  .refine((types) => new Set(types).size === types.length, 'must not contain a type twice')
  .meta({ description: 'The event types that are sent to this endpoint.' });
const descriptionSchema = z.string().max(1_000);

export const createWebhookEndpointSchema = z
  .strictObject({
    url: webhookUrlSchema,
    events: eventsSchema.optional().meta({
      description:
        'The event types that are sent to this endpoint. Default: all but `turn.queued` and `turn.started`; with `format: "openai"`, all that this format has.',
    }),
    description: descriptionSchema.default(''),
    format: webhookFormatSchema.default('turnpike'),
  })
  .meta({ id: 'CreateWebhookEndpoint' });
export type CreateWebhookEndpoint = z.infer<typeof createWebhookEndpointSchema>;

/** Omitted fields keep their value. */
export const updateWebhookEndpointSchema = z
  .strictObject({
    url: webhookUrlSchema.optional(),
    events: eventsSchema.optional(),
    description: descriptionSchema.optional(),
    enabled: z
      .boolean()
      .optional()
      .meta({ description: 'True also re-enables an endpoint that was disabled automatically.' }),
  })
  .meta({ id: 'UpdateWebhookEndpoint' });
export type UpdateWebhookEndpoint = z.infer<typeof updateWebhookEndpointSchema>;

export const webhookEndpointSchema = z
  .object({
    id: idSchema('webhookEndpoint'),
    object: z.literal('webhook_endpoint'),
    url: z.string(),
    events: z.array(webhookEventTypeSchema),
    description: z.string(),
    format: webhookFormatSchema,
    enabled: z.boolean(),
    disabled_reason: z.enum(['requested', 'gone', 'failing']).nullable().meta({
      description: '`gone`: it responded with 410. `failing`: every delivery failed for five days.',
    }),
    disabled_at: z.iso.datetime().nullable(),
    failing_since: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'Start of the current series of failed attempts.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'WebhookEndpoint', description: 'A URL that receives events.' });
export type WebhookEndpoint = z.infer<typeof webhookEndpointSchema>;

const signingSecretSchema = z.string().meta({ example: 'whsec_...' });

/** The only response that contains the key that webhooks are signed with. */
export const createdWebhookEndpointSchema = webhookEndpointSchema
  .extend({ signing_secret: signingSecretSchema })
  .meta({ id: 'CreatedWebhookEndpoint' });

export const rotateWebhookSecretSchema = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(30 * 24 * 60 * 60)
      .default(24 * 60 * 60)
      .meta({ description: 'How long webhooks are also signed with the old key.' }),
  })
  .meta({ id: 'RotateWebhookSecret' });

export const webhookSecretSchema = z
  .object({
    object: z.literal('webhook_secret'),
    version: z.int().positive(),
    created_at: z.iso.datetime(),
    signing_secret: signingSecretSchema,
  })
  .meta({
    id: 'WebhookSecret',
    description: 'The key that signs webhooks to the `webhook_url` of turns.',
  });

export const deliveryStatusSchema = z.enum(['pending', 'failed', 'delivered', 'dead']).meta({
  description: '`pending`: not attempted yet. `failed`: retried at `next_attempt_at`. `dead`: given up.',
});
export type DeliveryStatus = z.infer<typeof deliveryStatusSchema>;

export const deliverySchema = z
  .object({
    id: idSchema('delivery'),
    object: z.literal('delivery'),
    event_id: idSchema('event').meta({ description: 'The `webhook-id` of every attempt.' }),
    type: z.string(),
    webhook_endpoint_id: idSchema('webhookEndpoint').nullable(),
    url: z.string(),
    turn_id: idSchema('turn').nullable(),
    status: deliveryStatusSchema,
    attempts: z.int().nonnegative(),
    next_attempt_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    delivered_at: z.iso.datetime().nullable(),
  })
  .meta({
    id: 'Delivery',
    description: 'One event that is sent to one endpoint, or to the `webhook_url` of a turn.',
  });
export type Delivery = z.infer<typeof deliverySchema>;

export const deliveryAttemptSchema = z
  .object({
    number: z.int().positive(),
    started_at: z.iso.datetime(),
    duration_ms: z.int().nonnegative(),
    response_status: z.int().nullable(),
    response_body: z.string().nullable().meta({ description: 'The first kilobyte of the body.' }),
    error_code: z.string().nullable(),
  })
  .meta({ id: 'DeliveryAttempt', description: 'One POST request and its outcome.' });
export type DeliveryAttempt = z.infer<typeof deliveryAttemptSchema>;

export const deliveryWithAttemptsSchema = deliverySchema
  .extend({
    attempt_log: z
      .array(deliveryAttemptSchema)
      .meta({ description: 'The newest 20 attempts, oldest first.' }),
  })
  .meta({ id: 'DeliveryWithAttempts' });

export const redeliverSchema = z
  .strictObject({
    since: timestampSchema,
    until: timestampSchema.optional(),
    statuses: z
      .array(z.enum(['failed', 'delivered', 'dead']))
      .min(1)
      .default(['failed', 'dead']),
  })
  .meta({
    id: 'Redeliver',
    description: 'Selects deliveries to repeat by time and status. Default: those that failed.',
  });

export const redeliverySchema = z
  .object({
    object: z.literal('redelivery'),
    redelivered: z.int().nonnegative(),
    through: z.iso.datetime().nullable().meta({
      description:
        'Null, unless one request cannot redeliver everything: then the `since` of the next request.',
    }),
  })
  .meta({ id: 'Redelivery' });
