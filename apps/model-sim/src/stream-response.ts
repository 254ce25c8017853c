import type { ServerResponse } from 'node:http';
import type { HangGate } from './hang-gate.ts';
import type { MessagePlan } from './plan-message.ts';
import type { Fault, Pace } from './script.ts';
import { errorEvent, malformed, streamEvents } from './stream-events.ts';
import type { StreamEvent } from './stream-events.ts';
import type { Ticker } from './ticker.ts';

/** What a stream tells about itself. */
export interface StreamReport {
  /** This many events are handed to the socket. */
  sent(events: number): void;
  hung(): void;
  released(): void;
  /** The last byte is written, or will never be. `completed` is for the socket to confirm. */
  ended(outcome: 'failed' | 'cut'): void;
}

export type StreamFault = Exclude<Fault, { type: 'status' }>;

export interface StreamOptions {
  plan: MessagePlan;
  pace: Pace;
  fault: StreamFault | null;
  requestId: string;
  ticker: Ticker;
  gate: HangGate;
  report: StreamReport;
}

const MAX_BATCH = 16_384;

/**
 * Writes a response as server-sent events, at its pace: what is due goes out in one write,
 * then the stream sleeps in the shared ticker. A client that does not read pauses it.
 */
export class StreamedResponse {
  readonly #response: ServerResponse;
  readonly #options: StreamOptions;
  readonly #events: Generator<StreamEvent, void>;
  readonly #firstTokenAt: number;
  readonly #msPerToken: number;
  #fault: StreamFault | null;
  #upcoming: StreamEvent | undefined;
  #sent = 0;
  #tokens = 0;
  #batch = '';
  #isBroken = false;
  #isOver = false;

  constructor(response: ServerResponse, options: StreamOptions) {
    const { pace, plan, fault } = options;
    this.#response = response;
    this.#options = options;
    this.#fault = fault;
    this.#events = streamEvents(plan, pace.stamp ?? false);
    this.#firstTokenAt = performance.now() + (pace.first_token_ms ?? 0);
    this.#msPerToken = pace.tokens_per_second === undefined ? 0 : 1000 / pace.tokens_per_second;
  }

  start(): void {
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
    });
    this.#response.flushHeaders();
    this.#upcoming = this.#next();
    this.#pump();
  }

  #pump(): void {
    while (!this.#isOver && !this.#response.destroyed) {
      if (this.#fault?.after_events === this.#sent && !this.#inject(this.#fault)) return;
      const upcoming = this.#upcoming;
      if (upcoming === undefined) {
        this.#finish();
        return;
      }
      const dueAt = upcoming.tokens === 0 ? 0 : this.#firstTokenAt + this.#tokens * this.#msPerToken;
      if (dueAt > performance.now()) {
        if (this.#flush()) this.#options.ticker.at(dueAt, () => this.#pump());
        return;
      }
      this.#batch += upcoming.frame;
      this.#sent += 1;
      this.#tokens += upcoming.tokens;
      this.#upcoming = this.#next();
      if (this.#batch.length >= MAX_BATCH && !this.#flush()) return;
    }
  }

  #next(): StreamEvent | undefined {
    const next = this.#events.next();
    return next.done === true ? undefined : next.value;
  }

  /** Writes what is gathered. False: the client reads too slowly, and `drain` will go on. */
  #flush(): boolean {
    if (this.#write()) return true;
    this.#response.once('drain', () => this.#pump());
    return false;
  }

  #write(): boolean {
    const batch = this.#batch;
    if (batch === '') return true;
    this.#batch = '';
    this.#options.report.sent(this.#sent);
    return this.#response.write(batch);
  }

  #finish(): void {
    this.#isOver = true;
    this.#write();
    if (this.#isBroken) this.#options.report.ended('failed');
    this.#response.end();
  }

  /** Lets the fault happen here, once. True: the stream goes on after it at once. */
  #inject(fault: StreamFault): boolean {
    const { report, requestId } = this.#options;
    this.#fault = null;
    if (fault.type === 'malformed') {
      this.#isBroken = true;
      if (this.#upcoming !== undefined) {
        this.#upcoming = { ...this.#upcoming, frame: malformed(this.#upcoming.frame) };
      }
      return true;
    }
    if (fault.type === 'hang') {
      this.#hang();
      return false;
    }
    if (fault.type === 'error_event') {
      this.#batch += errorEvent(fault.error_type, fault.message, requestId);
      this.#isBroken = true;
      this.#finish();
      return false;
    }
    this.#isOver = true;
    this.#write();
    report.ended('cut');
    // Sends what is written, then closes without the chunk that would end the body.
    this.#response.socket?.destroySoon();
    return false;
  }

  #hang(): void {
    const { gate, report } = this.#options;
    this.#write();
    report.hung();
    gate.hang(this.#response, () => {
      report.released();
      this.#pump();
    });
  }
}
