import type { Backplane } from '@turnpike/backplane';
import { newId, NO_USAGE, type Advance, type EventType, type NewEvent } from '@turnpike/contract';
import { advanceTurn, claimTurn } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import type { Services } from '../route.ts';

/** A turn that a worker holds, and what that worker does, one step at a time. */
export class HeldTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly epoch: number;
  eventCount: number;
  stepCount: number;
  readonly #database: Services['database'];
  readonly #elsewhere: Backplane;

  private constructor(
    database: Services['database'],
    elsewhere: Backplane,
    turn: { id: string; sessionId: string; epoch: number; eventCount: number; stepCount: number },
  ) {
    this.#database = database;
    this.#elsewhere = elsewhere;
    this.turnId = turn.id;
    this.sessionId = turn.sessionId;
    this.epoch = turn.epoch;
    this.eventCount = turn.eventCount;
    this.stepCount = turn.stepCount;
  }

  /** Claims a turn; `elsewhere` is the worker's own backplane. */
  static async claim(
    { database, dispatcher }: Pick<Services, 'database' | 'dispatcher'>,
    elsewhere: Backplane,
    turnId: string,
    epoch = 0,
  ): Promise<HeldTurn> {
    await dispatcher.settle();
    const claim = { turnId, epoch, from: TRANSITIONS.claim.from, workerId: 'test', leaseMs: 60_000 };
    const turn = await claimTurn(database.pool, claim);
    if (turn === null) throw new Error(`${turnId} cannot be claimed.`);
    const held = new HeldTurn(database, elsewhere, turn);
    held.announce();
    return held;
  }

  /** Announces new events. */
  announce(): void {
    const { sessionId, turnId, eventCount } = this;
    this.#elsewhere.live.changed({ sessionId, turnId, eventCount });
  }

  /** Sends a piece of text, of an attempt that began after this event. */
  say(text: string, attempt = this.eventCount): void {
    const { sessionId, turnId, stepCount: stepIndex } = this;
    this.#elsewhere.live.show({ sessionId, turnId, stepIndex, attempt, text });
  }

  async restartStep(): Promise<void> {
    await this.#advance({}, [this.#event('step.restarted', { index: this.stepCount })]);
    this.announce();
  }

  /** Commits a model call with this text, and begins another one. */
  async completeStep(text: string): Promise<void> {
    const index = this.stepCount;
    await this.#advance({ step: modelCall(), messages: [messageOf(text)] }, [
      this.#event('step.completed', { index }),
      this.#event('step.started', { index: index + 1 }),
    ]);
    this.stepCount += 1;
    this.announce();
  }

  /** Commits the end; announces it where `isAnnounced`. */
  async complete(text: string, isAnnounced = true): Promise<void> {
    const { content: output } = messageOf(text);
    await this.#advance(
      {
        step: modelCall(),
        messages: [messageOf(text)],
        outcome: { status: 'completed', stopReason: 'end_turn', output, error: null },
      },
      [this.#event('step.completed', { index: this.stepCount }), this.#event('turn.completed', {})],
    );
    if (isAnnounced) this.announce();
  }

  #event(type: EventType, payload: Record<string, unknown>): NewEvent {
    return { id: newId('event'), type, payload };
  }

  async #advance(part: Omit<Advance, 'events'>, events: NewEvent[]): Promise<void> {
    const { turnId, epoch, eventCount } = this;
    const fence = { turnId, epoch, from: TRANSITIONS.advance.from, eventCount };
    const advanced = await advanceTurn(this.#database.pool, fence, { ...part, events });
    if (advanced === null) throw new Error(`${turnId} is not held.`);
    this.eventCount += events.length;
  }
}

function messageOf(text: string): NonNullable<Advance['messages']>[number] {
  return { role: 'assistant', content: [{ type: 'text', text }] };
}

function modelCall(): NonNullable<Advance['step']> {
  return {
    id: newId('step'),
    type: 'model_call',
    model: 'test-model',
    stopReason: 'end_turn',
    usage: { ...NO_USAGE, input_tokens: 10, output_tokens: 2 },
    costMicros: 0,
    attempts: 1,
    providerRequestId: 'req_test',
    durationMs: 5,
  };
}
