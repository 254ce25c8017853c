/** Where a delivery is: not tried yet; tried, and to be tried again; done; not to be tried again. */
export const DELIVERY_STATUSES = ['pending', 'failed', 'delivered', 'dead'] as const;
type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

type Moves = Partial<Record<DeliveryStatus, readonly DeliveryStatus[]>>;

/**
 * Every move between the statuses of a delivery that there is. Nothing else changes one: the trigger
 * `deliveries_status_edge` refuses it.
 */
export const DELIVERY_TRANSITIONS: Readonly<Record<'record' | 'bury' | 'redeliver', Moves>> = {
  /** An attempt ended, and whoever holds the delivery records it. */
  record: { pending: ['failed', 'delivered', 'dead'], failed: ['delivered', 'dead'] },
  /** It was not tried for so long that it is given up, or its endpoint is disabled. */
  bury: { pending: ['dead'], failed: ['dead'] },
  /** Somebody wants it to begin again. */
  redeliver: { failed: ['pending'], delivered: ['pending'], dead: ['pending'] },
};
