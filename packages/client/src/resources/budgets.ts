import type { Budget, BudgetPeriod } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport } from '../transport.ts';

/** Budgets for model calls, in millionths of a US dollar. */
export class Budgets {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Your own budgets, and those that the operator set. */
  list(query: PageQuery = {}, options: CallOptions = {}): Pages<Budget> {
    return new Pages(this.#transport, '/v1/budgets', { ...query }, options);
  }

  set(period: BudgetPeriod, limitMicros: number, options?: CallOptions): Promise<Budget> {
    const body = { limit_micros: limitMicros };
    return this.#transport.call({ method: 'PUT', path: path`/v1/budgets/${period}`, body }, options);
  }

  /** Deletes your own budget; the operator's stays. */
  delete(period: BudgetPeriod, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/budgets/${period}` }, options);
  }
}
