import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Signal } from './signal.ts';
import { turnJobSchema } from './turn-job.ts';

/** A turn that was accepted into an offered slot. */
export type HandedJob = z.infer<typeof handedJobSchema>;
const handedJobSchema = turnJobSchema.pick({ turnId: true, epoch: true });

/** A slot of a worker that a turn may be accepted into. It is either given away or given back. */
export interface OfferedSlot {
  readonly workerId: string;
  /** How long the worker has the turn until it must have confirmed it. Milliseconds. */
  readonly leaseMs: number;
  /** Sends the turn. False where no such worker is there; throws `BackplaneUnavailableError` where that is unknown. */
  give(job: HandedJob): Promise<boolean>;
  giveBack(): void;
}

/** What a worker offers. */
export interface SlotOffers {
  /** Its free slots have changed. */
  changed(): void;
  /** Offers nothing more. Turns that are under way still come. */
  close(): void;
}

export interface OfferOptions {
  workerId: string;
  /** How long it needs at most to confirm a turn. Milliseconds. */
  leaseMs: number;
  /** Slots that may be given away now. */
  free(): number;
  /** A turn was accepted into one of them. There may be none left by now. */
  run(job: HandedJob): void;
}

/**
 * Direct hand-over: a worker offers free slots, and turns are accepted into them, as claimed by that worker. A slot is
 * a hint: what is offered, taken and sent may be lost, and the database says who has a turn.
 */
export interface HandOvers {
  /** A slot that was offered to this process, null where there is none. From now on workers offer it slots for a while. */
  take(): OfferedSlot | null;
  /** Offers slots of this worker to the processes that take some. */
  offer(options: OfferOptions): SlotOffers;
}

/** For a backplane whose messages cost as much as a job. */
export const NO_HAND_OVERS: HandOvers = {
  take: () => null,
  offer: () => ({ changed: () => undefined, close: () => undefined }),
};

/** Where processes say that they take slots. */
const WANTED = 'slots-wanted';
/** Where workers say that they begin. */
const BEGUN = 'slots-begun';
/** A process that takes slots says so at most so often. */
const ASK_EVERY_MS = 5_000;
/** One that has not said so for this time is offered no more. */
const WANTED_MS = 12_000;
/** An offer that was not renewed is void: its worker may be frozen. */
const OFFERED_MS = 10_000;
/** The most slots of a worker that one process has at once. */
const MOST_OFFERED = 16;

const wantedSchema = z.object({ process: z.string(), round: z.int() });
const offerSchema = z.object({
  workerId: z.string(),
  leaseMs: z.number().positive().max(60_000),
  round: z.int(),
  limit: z.int(),
});
const handedSchema = handedJobSchema.extend({ process: z.string(), round: z.int() });

/** What a worker has offered to this process. */
interface Offer {
  /** Counts begin anew with each round: what was sent and lost is forgotten. */
  round: number;
  leaseMs: number;
  /** How many turns may be sent in this round. */
  limit: number;
  sent: number;
  until: number;
}

/** A process that takes slots of this worker. */
interface Taker {
  round: number;
  received: number;
  limit: number;
  until: number;
}

interface HandOverParts {
  /** Returns how many processes received it. */
  send(channel: string, signal: Signal): Promise<number>;
  subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>>;
  onError: (error: unknown) => void;
}

/** Hand-overs by messages between processes. Where nobody accepts turns, nothing is sent. */
export class SignalledHandOvers implements HandOvers {
  readonly #parts: HandOverParts;
  readonly #process = randomUUID();
  readonly #offers = new Map<string, Offer>();
  readonly #givers = new Set<SlotGiver>();
  #round = 0;
  #askedAt = -Infinity;
  #listening: Promise<unknown> | null = null;
  #closed = false;

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  take(): OfferedSlot | null {
    const now = performance.now();
    if (now - this.#askedAt >= ASK_EVERY_MS && !this.#closed) {
      this.#askedAt = now;
      void this.#ask();
    }
    const [workerId, offer] = this.#best(now);
    if (workerId === undefined || offer === undefined) return null;
    offer.sent += 1;
    return {
      workerId,
      leaseMs: offer.leaseMs,
      give: (job) => this.#give(workerId, offer, job),
      giveBack() {
        offer.sent -= 1;
      },
    };
  }

  offer(options: OfferOptions): SlotOffers {
    const giver = new SlotGiver(options, this.#parts);
    this.#givers.add(giver);
    return {
      changed: () => giver.changed(),
      close: () => {
        giver.close();
        this.#givers.delete(giver);
      },
    };
  }

  close(): void {
    this.#closed = true;
    this.#offers.clear();
    for (const giver of this.#givers) giver.close();
  }

  /** Of the worker that has most left, so that turns are spread. */
  #best(now: number): [string, Offer] | [] {
    let best: [string, Offer] | [] = [];
    let most = 0;
    for (const [workerId, offer] of this.#offers) {
      if (offer.until <= now) this.#offers.delete(workerId);
      else if (offer.limit - offer.sent > most) {
        most = offer.limit - offer.sent;
        best = [workerId, offer];
      }
    }
    return best;
  }

  async #give(workerId: string, { round }: Offer, job: HandedJob): Promise<boolean> {
    try {
      const heard = await this.#parts.send(inboxOf(workerId), { ...job, process: this.#process, round });
      if (heard === 0) this.#offers.delete(workerId);
      return heard > 0;
    } catch (error) {
      // What is offered cannot be used before the server is back: until then turns wait in the queue.
      this.#offers.clear();
      throw error;
    }
  }

  async #ask(): Promise<void> {
    try {
      const listener = (signal: Signal): void => this.#hearOffer(signal);
      await (this.#listening ??= Promise.all([
        this.#parts.subscribe(offersOf(this.#process), listener),
        this.#parts.subscribe(BEGUN, () => {
          this.#askedAt = -Infinity;
        }),
      ]));
      this.#round += 1;
      await this.#parts.send(WANTED, { process: this.#process, round: this.#round });
    } catch (error) {
      if (!this.#closed) this.#parts.onError(error);
    }
  }

  #hearOffer(signal: Signal): void {
    const heard = offerSchema.safeParse(signal).data;
    if (heard === undefined || this.#closed) return;
    const { workerId, leaseMs, round, limit } = heard;
    const known = this.#offers.get(workerId);
    if (known !== undefined && known.round > round) return;
    const until = performance.now() + OFFERED_MS;
    if (known?.round === round) Object.assign(known, { leaseMs, limit, until });
    else this.#offers.set(workerId, { round, leaseMs, limit, sent: 0, until });
  }
}

/** A worker's part: it says how many turns each taker may send. */
class SlotGiver {
  readonly #options: OfferOptions;
  readonly #parts: HandOverParts;
  readonly #takers = new Map<string, Taker>();
  #isScheduled = false;
  #closed = false;

  constructor(options: OfferOptions, parts: HandOverParts) {
    this.#options = options;
    this.#parts = parts;
    void this.#subscribe();
  }

  changed(): void {
    if (this.#isScheduled || this.#closed || this.#takers.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#offerAll();
    });
  }

  close(): void {
    if (this.#closed) return;
    for (const [process, taker] of this.#takers) this.#offer(process, taker, 0);
    this.#closed = true;
  }

  async #subscribe(): Promise<void> {
    const { send, subscribe, onError } = this.#parts;
    try {
      // What is sent in response to an offer must be received.
      await subscribe(inboxOf(this.#options.workerId), (signal) => this.#receive(signal));
      await subscribe(WANTED, (signal) => this.#hearTaker(signal));
      await send(BEGUN, {});
    } catch (error) {
      onError(error);
    }
  }

  #hearTaker(signal: Signal): void {
    const heard = wantedSchema.safeParse(signal).data;
    if (heard === undefined || this.#closed) return;
    const { process, round } = heard;
    this.#takers.set(process, { round, received: 0, limit: 0, until: performance.now() + WANTED_MS });
    this.#offerAll();
  }

  #receive(signal: Signal): void {
    const handed = handedSchema.safeParse(signal).data;
    if (handed === undefined) return;
    const { process, round, turnId, epoch } = handed;
    const taker = this.#takers.get(process);
    if (taker?.round === round) taker.received += 1;
    this.#options.run({ turnId, epoch });
    this.changed();
  }

  #offerAll(): void {
    if (this.#closed) return;
    const now = performance.now();
    for (const [process, { until }] of this.#takers) if (until <= now) this.#takers.delete(process);
    const share = Math.floor(this.#options.free() / Math.max(1, this.#takers.size));
    const slots = Math.max(0, Math.min(MOST_OFFERED, share));
    for (const [process, taker] of this.#takers) {
      const left = taker.limit - taker.received;
      // Not with each turn: when half of them are used, or there are none any more.
      if (slots === 0 ? left > 0 : left <= slots / 2) this.#offer(process, taker, slots);
    }
  }

  #offer(process: string, taker: Taker, slots: number): void {
    taker.limit = taker.received + slots;
    void this.#tell(process, taker);
  }

  async #tell(process: string, taker: Taker): Promise<void> {
    const { workerId, leaseMs } = this.#options;
    const offer = { workerId, leaseMs, round: taker.round, limit: taker.limit };
    try {
      const heard = await this.#parts.send(offersOf(process), offer);
      if (heard === 0 && this.#takers.get(process) === taker) this.#takers.delete(process);
    } catch (error) {
      if (!this.#closed) this.#parts.onError(error);
    }
  }
}

/** Where a process receives offers. */
const offersOf = (process: string): string => `offers-${process}`;
/** Where a worker receives turns. */
const inboxOf = (workerId: string): string => `handed-${workerId}`;
