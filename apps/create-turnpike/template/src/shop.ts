/** Stands for the service behind the tools: put your own in its place. */
export class Shop {
  /** The orders that were refunded, by the key of the request. */
  readonly refunds = new Map<string, number>();

  find(order: number): { order: number; cents: number; refunded: boolean } {
    return { order, cents: 100 * order, refunded: [...this.refunds.values()].includes(order) };
  }

  /** Refunds once for each key, as payment services do. */
  refund(order: number, key: string): string {
    if (!this.refunds.has(key)) this.refunds.set(key, order);
    return `Order ${order} is refunded.`;
  }
}

export const shop = new Shop();
