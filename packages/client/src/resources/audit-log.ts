import type { AuditEntry } from '../wire/contract.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport } from '../transport.ts';

export interface AuditQuery extends PageQuery {
  /** Such as `secret.put`. */
  action?: string | undefined;
  /** The id of a key, or `operator`. */
  actor?: string | undefined;
  /** At this time or later, such as `2026-11-30T12:00:00Z`. */
  from?: string | undefined;
  /** Before this time. */
  to?: string | undefined;
}

/** Administrative acts. Requires a key with the scope `admin`. */
export class AuditLog {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Newest first. */
  list(query: AuditQuery = {}, options: CallOptions = {}): Pages<AuditEntry> {
    return new Pages(this.#transport, '/v1/audit_entries', { ...query }, options);
  }
}
