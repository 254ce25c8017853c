import type { Query } from './address.ts';
import type { CallOptions, Transport } from './transport.ts';

/** One page of a list; `next_cursor` is null on the last one. */
export interface Page<Item> {
  object: 'list';
  items: Item[];
  next_cursor: string | null;
}

/** Selects a page and its size. */
export interface PageQuery {
  cursor?: string | undefined;
  /** Items per page: 1 to 100. */
  limit?: number | undefined;
}

/** Filters a list by creation time. */
export interface TimeQuery {
  /** At this time or later, such as `2026-11-30T12:00:00Z`. */
  created_after?: string | undefined;
  /** Before this time. */
  created_before?: string | undefined;
}

/** Filters a list by metadata: items that have all these entries. */
export interface MetadataQuery {
  metadata?: Readonly<Record<string, string>> | undefined;
}

/** A list. `for await` yields all items and fetches pages as needed. */
export class Pages<Item> implements AsyncIterable<Item> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #query: Query;
  readonly #options: CallOptions;

  constructor(transport: Transport, path: string, query: Query, options: CallOptions) {
    this.#transport = transport;
    this.#path = path;
    this.#query = query;
    this.#options = options;
  }

  /** The page at this cursor. Default: the query's cursor, or the first page. */
  page(cursor?: string): Promise<Page<Item>> {
    const query = cursor === undefined ? this.#query : { ...this.#query, cursor };
    return this.#transport.call({ method: 'GET', path: this.#path, query }, this.#options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    let cursor: string | undefined;
    do {
      const page = await this.page(cursor);
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }
}
