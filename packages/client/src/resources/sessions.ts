import type {
  createSessionSchema,
  forkSessionSchema,
  messageSchema,
  Session,
  TurnEvent,
  updateSessionSchema,
} from '../wire/contract.ts';
import { path } from '../address.ts';
import { EventDeduplicator } from '../event-deduplicator.ts';
import { followEvents, type FollowOptions } from '../follow-events.ts';
import { Pages, type MetadataQuery, type PageQuery, type TimeQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input, Output } from '../wire/shapes.ts';

export type Message = Output<typeof messageSchema>;

export interface SessionQuery extends PageQuery, TimeQuery, MetadataQuery {
  agent_id?: string | undefined;
  /** Only forks of this session. */
  forked_from?: string | undefined;
  /** Only sessions of this end user. */
  user_id?: string | undefined;
}

/** Sessions: conversations. */
export class Sessions {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(session: Input<typeof createSessionSchema>, options?: WriteOptions): Promise<Session> {
    return this.#transport.call({ method: 'POST', path: '/v1/sessions', body: session }, options);
  }

  get(id: string, options?: CallOptions): Promise<Session> {
    return this.#transport.call({ method: 'GET', path: path`/v1/sessions/${id}` }, options);
  }

  /** Omitted fields keep their value. */
  update(id: string, change: Input<typeof updateSessionSchema>, options?: WriteOptions): Promise<Session> {
    return this.#transport.call({ method: 'POST', path: path`/v1/sessions/${id}`, body: change }, options);
  }

  /** Copies the session, up to a turn, a step or a message where one is named, into a new session. */
  fork(id: string, fork: Input<typeof forkSessionSchema> = {}, options?: WriteOptions): Promise<Session> {
    return this.#transport.call({ method: 'POST', path: path`/v1/sessions/${id}/fork`, body: fork }, options);
  }

  /** Newest first. */
  list(query: SessionQuery = {}, options: CallOptions = {}): Pages<Session> {
    return new Pages(this.#transport, '/v1/sessions', { ...query }, options);
  }

  /** The messages of the session, oldest first unless `order` is `desc`. */
  messages(
    id: string,
    query: PageQuery & { order?: 'asc' | 'desc' } = {},
    options: CallOptions = {},
  ): Pages<Message> {
    return new Pages(this.#transport, path`/v1/sessions/${id}/messages`, { ...query }, options);
  }

  /** The events of all turns of the session, one turn after another. It does not end: abort it, or use `break`. */
  stream(
    id: string,
    { after, ...options }: FollowOptions & { after?: string | undefined } = {},
  ): AsyncGenerator<TurnEvent, void, undefined> {
    const source = { path: path`/v1/sessions/${id}/events`, endsWithTurn: false };
    return followEvents(this.#transport, source, new EventDeduplicator(after), options);
  }

  /** Erases the session and everything in it. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/sessions/${id}` }, options);
  }
}
