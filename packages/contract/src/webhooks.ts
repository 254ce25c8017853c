import { z } from 'zod';
import { idSchema } from './ids.ts';
import { timestampSchema } from './times.ts';

/**
 * What a webhook endpoint can be told of. Not steps and tool calls: there are many of them in a turn, they
 * are read better from its stream of events, and each would be a row more in the worker's write.
 */
export const WEBHOOK_EVENT_TYPES = [
  'turn.queued',
  'turn.started',
  'turn.requires_action',
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
  'turn.incomplete',
  'webhook_endpoint.disabled',
  'budget.threshold_reached',
  'budget.exhausted',
] as const;

export const webhookEventTypeSchema = z.enum(WEBHOOK_EVENT_TYPES);
export type WebhookEventType = z.infer<typeof webhookEventTypeSchema>;

const UNASKED = new Set<WebhookEventType>(['turn.queued', 'turn.started']);
const DEFAULT_EVENTS = WEBHOOK_EVENT_TYPES.filter((type) => !UNASKED.has(type));

/** Also checked against the address guard, when it is given and at every connection. */
export const webhookUrlSchema = z.url({ protocol: /^https?$/ }).max(2_000);

const eventsSchema = z
  .array(webhookEventTypeSchema)
  .min(1)
  .refine((types) => new Set(types).size === types.length, 'each type once')
  .meta({ description: 'The types of events that it is told of.' });
const descriptionSchema = z.string().max(1_000);

export const createWebhookEndpointSchema = z
  .strictObject({
    url: webhookUrlSchema,
    events: eventsSchema.default(DEFAULT_EVENTS),
    description: descriptionSchema.default(''),
  })
  .meta({ id: 'CreateWebhookEndpoint' });
export type CreateWebhookEndpoint = z.infer<typeof createWebhookEndpointSchema>;

/** What is left out stays as it is. */
export const updateWebhookEndpointSchema = z
  .strictObject({
    url: webhookUrlSchema.optional(),
    events: eventsSchema.optional(),
    description: descriptionSchema.optional(),
    enabled: z.boolean().optional().meta({ description: 'True also lifts what disabled it by itself.' }),
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
    enabled: z.boolean(),
    disabled_reason: z.enum(['requested', 'gone', 'failing']).nullable().meta({
      description: '`gone`: it answered 410. `failing`: for five days nothing reached it.',
    }),
    disabled_at: z.iso.datetime().nullable(),
    failing_since: z.iso.datetime().nullable().meta({ description: 'Since when every attempt failed.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'WebhookEndpoint', description: 'Somewhere that is told of events.' });
export type WebhookEndpoint = z.infer<typeof webhookEndpointSchema>;

const signingSecretSchema = z.string().meta({ example: 'whsec_...' });

/** The only time that the key which its webhooks are signed with can be seen. */
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
      .meta({ description: 'How long webhooks carry the signature of the old key as well.' }),
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
    description: 'The key that the webhooks to the URLs of turns are signed with.',
  });

export const deliveryStatusSchema = z.enum(['pending', 'failed', 'delivered', 'dead']).meta({
  description:
    '`pending`: not tried yet. `failed`: tried, and tried again at `next_attempt_at`. `dead`: not tried any more.',
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
  .meta({ id: 'Delivery', description: 'One event on its way to one endpoint, or to the URL of a turn.' });
export type Delivery = z.infer<typeof deliverySchema>;

export const deliveryAttemptSchema = z
  .object({
    number: z.int().positive(),
    started_at: z.iso.datetime(),
    duration_ms: z.int().nonnegative(),
    response_status: z.int().nullable(),
    response_body: z.string().nullable().meta({ description: 'The first kilobyte.' }),
    error_code: z.string().nullable(),
  })
  .meta({ id: 'DeliveryAttempt', description: 'One POST, and what came of it.' });
export type DeliveryAttempt = z.infer<typeof deliveryAttemptSchema>;

export const deliveryWithAttemptsSchema = deliverySchema
  .extend({
    attempt_log: z.array(deliveryAttemptSchema).meta({ description: 'The newest 20, oldest first.' }),
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
    description: 'Events of this time, those that did not arrive unless said otherwise.',
  });

export const redeliverySchema = z
  .object({
    object: z.literal('redelivery'),
    redelivered: z.int().nonnegative(),
    through: z.iso.datetime().nullable().meta({
      description: 'Where there is more than one request redelivers: the `since` of the next one. Else null.',
    }),
  })
  .meta({ id: 'Redelivery' });
