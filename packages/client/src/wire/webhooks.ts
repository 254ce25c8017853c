/** The types of events that an endpoint can be told of. */
export type WebhookEventType =
  | 'turn.queued'
  | 'turn.started'
  | 'turn.requires_action'
  | 'turn.completed'
  | 'turn.failed'
  | 'turn.cancelled'
  | 'turn.incomplete'
  | 'webhook_endpoint.disabled'
  | 'budget.threshold_reached'
  | 'budget.exhausted';

export interface CreateWebhookEndpoint {
  url: string;
  /** Default: all but `turn.queued` and `turn.started`. */
  events?: WebhookEventType[];
  description?: string;
}

/** What is left out stays as it is. */
export interface UpdateWebhookEndpoint extends Partial<CreateWebhookEndpoint> {
  /** True also lifts what disabled it by itself. */
  enabled?: boolean;
}

export interface WebhookEndpoint {
  id: string;
  object: 'webhook_endpoint';
  url: string;
  events: WebhookEventType[];
  description: string;
  enabled: boolean;
  disabled_reason: 'requested' | 'gone' | 'failing' | null;
  disabled_at: string | null;
  failing_since: string | null;
  created_at: string;
  updated_at: string;
}

export interface CreatedWebhookEndpoint extends WebhookEndpoint {
  /** `whsec_...`: what its webhooks are signed with. */
  signing_secret: string;
}

/** What the webhooks to the `webhook_url` of turns are signed with. */
export interface WebhookSecret {
  object: 'webhook_secret';
  version: number;
  created_at: string;
  signing_secret: string;
}

export type DeliveryStatus = 'pending' | 'failed' | 'delivered' | 'dead';

export interface Delivery {
  id: string;
  object: 'delivery';
  /** The `webhook-id` of every attempt. */
  event_id: string;
  type: string;
  webhook_endpoint_id: string | null;
  url: string;
  turn_id: string | null;
  status: DeliveryStatus;
  attempts: number;
  next_attempt_at: string | null;
  created_at: string;
  delivered_at: string | null;
}

export interface DeliveryAttempt {
  number: number;
  started_at: string;
  duration_ms: number;
  response_status: number | null;
  response_body: string | null;
  error_code: string | null;
}

export interface DeliveryWithAttempts extends Delivery {
  attempt_log: DeliveryAttempt[];
}

/** Events of this time, those that did not arrive unless said otherwise. */
export interface Redeliver {
  since: string;
  until?: string;
  statuses?: ('failed' | 'delivered' | 'dead')[];
}

export interface Redelivery {
  object: 'redelivery';
  redelivered: number;
  /** Where there is more than one request redelivers: the `since` of the next one. */
  through: string | null;
}
