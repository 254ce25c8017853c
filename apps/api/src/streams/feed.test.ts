import { expect, test } from '@jest/globals';
import type { Live } from '@turnpike/backplane';
import type { TurnFact } from '@turnpike/contract';
import type { EventPosition, PositionedFact } from '@turnpike/store';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { Feed, type FeedReader } from './feed.ts';

const TURN = 'turn_1';

function factAt(number: number): PositionedFact {
  const fact: TurnFact = {
    id: `evt_${number}`,
    type: 'turn.queued',
    turn_id: TURN,
    sequence_number: number,
    created_at: '2026-11-25T00:00:00.000Z',
  };
  return { fact, position: { turnSequence: 1, sequenceNumber: number } };
}

const silent: Live = {
  changed: () => undefined,
  show: () => undefined,
  showProgress: () => undefined,
  endPreview: () => undefined,
  watch: () => Promise.resolve(() => Promise.resolve()),
  kept: () => Promise.resolve([]),
};

class Reader implements FeedReader {
  readonly turnId = TURN;
  readonly seen: number[] = [];
  position: EventPosition;

  constructor(sequenceNumber: number) {
    this.position = { turnSequence: 1, sequenceNumber };
  }
  take(facts: readonly PositionedFact[]): void {
    for (const { position } of facts) {
      if (position.sequenceNumber <= this.position.sequenceNumber) continue;
      this.seen.push(position.sequenceNumber);
      this.position = position;
    }
  }
  show(): void {}
  showProgress(): void {}
  end(): void {}
}

test('a reader that joins while all others leave, in the middle of a read, misses nothing', async () => {
  let newest = 5;
  const responses: (() => void)[] = [];
  const feed = new Feed({
    live: silent,
    readEveryMs: 60_000,
    onError: (error) => {
      throw error;
    },
    onTurn: () => undefined,
    source: {
      key: TURN,
      sessionId: 'sess_1',
      isThere: () => Promise.resolve(true),
      read: ({ sequenceNumber: after }) => {
        const facts = Array.from({ length: newest - after }, (_, index) => factAt(after + index + 1));
        return new Promise((resolve) => responses.push(() => resolve(facts)));
      },
    },
  });
  await feed.ready();
  await untilTrue('the feed has had its first signal', () => feed.wakes === 1);
  const first = new Reader(5);
  feed.join(first, feed.wakes);
  newest = 6;
  feed.wake(null);
  // A reader that read up to 3 a while ago, and joins late.
  const wakes = 0;
  feed.leave(first);
  const slow = new Reader(3);
  expect(feed.join(slow, wakes)).toBe(true);
  responses.shift()?.();
  await untilTrue('it is read again', () => responses.length === 1);
  responses.shift()?.();
  await untilTrue('the event arrived', () => slow.seen.includes(6));
  expect(slow.seen).toEqual([4, 5, 6]);
  feed.close();
});
