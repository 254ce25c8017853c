/**
 * `pending`: not attempted yet; `failed`: attempted, and will be again; `delivered`; `dead`: will not be
 * attempted again.
 */
export const DELIVERY_STATUSES = ['pending', 'failed', 'delivered', 'dead'] as const;
type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

type Moves = Partial<Record<DeliveryStatus, readonly DeliveryStatus[]>>;

/**
 * Every change of a delivery's status that is allowed. The trigger `deliveries_status_edge` refuses all
 * others.
 */
export const DELIVERY_TRANSITIONS: Readonly<Record<'record' | 'bury' | 'redeliver', Moves>> = {
  /** The worker that holds the delivery records the end of an attempt. */
  record: { pending: ['failed', 'delivered', 'dead'], failed: ['delivered', 'dead'] },
  /** It could not be attempted for too long, or its endpoint is disabled. */
  bury: { pending: ['dead'], failed: ['dead'] },
  /** A client redelivers it. */
  redeliver: { failed: ['pending'], delivered: ['pending'], dead: ['pending'] },
};
