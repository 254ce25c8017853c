import type { putScheduleSchema, Schedule, ScheduleForecast, ScheduleRun } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery, type TimeQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input } from '../wire/shapes.ts';

export type { Schedule, ScheduleForecast, ScheduleRun };

export interface ScheduleQuery extends PageQuery, TimeQuery {
  status?: Schedule['status'] | readonly Schedule['status'][] | undefined;
}

export interface ScheduleRunQuery extends PageQuery, TimeQuery {
  status?: ScheduleRun['status'] | readonly ScheduleRun['status'][] | undefined;
}

/** Turns that are submitted at times. */
export class Schedules {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(schedule: Input<typeof putScheduleSchema>, options?: WriteOptions): Promise<Schedule> {
    return this.#transport.call({ method: 'POST', path: '/v1/schedules', body: schedule }, options);
  }

  get(id: string, options?: CallOptions): Promise<Schedule> {
    return this.#transport.call({ method: 'GET', path: path`/v1/schedules/${id}` }, options);
  }

  list(query: ScheduleQuery = {}, options: CallOptions = {}): Pages<Schedule> {
    return new Pages(this.#transport, '/v1/schedules', { ...query }, options);
  }

  /** Replaces what it says. Its history stays. */
  update(id: string, schedule: Input<typeof putScheduleSchema>, options?: CallOptions): Promise<Schedule> {
    return this.#transport.call({ method: 'PUT', path: path`/v1/schedules/${id}`, body: schedule }, options);
  }

  /** It has no ticks until it is resumed. */
  pause(id: string, options?: WriteOptions): Promise<Schedule> {
    return this.#transport.call({ method: 'POST', path: path`/v1/schedules/${id}/pause` }, options);
  }

  /** With the next tick from now on: none is made up for. */
  resume(id: string, options?: WriteOptions): Promise<Schedule> {
    return this.#transport.call({ method: 'POST', path: path`/v1/schedules/${id}/resume` }, options);
  }

  /** What became of its ticks, newest first. */
  runs(id: string, query: ScheduleRunQuery = {}, options: CallOptions = {}): Pages<ScheduleRun> {
    return new Pages(this.#transport, path`/v1/schedules/${id}/runs`, { ...query }, options);
  }

  /** Its next ticks, `limit` of them (1 to 100; default: 10). */
  forecast(
    id: string,
    { limit, ...options }: CallOptions & { limit?: number } = {},
  ): Promise<ScheduleForecast> {
    const query = limit === undefined ? {} : { limit };
    return this.#transport.call({ method: 'GET', path: path`/v1/schedules/${id}/forecast`, query }, options);
  }

  /** Deletes its history too. Its turns and sessions stay. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/schedules/${id}` }, options);
  }
}
