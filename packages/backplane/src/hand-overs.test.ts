import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { untilTrue } from '../../../tests/support/until-true.ts';
import type { Backplane } from './backplane.ts';
import type { HandedJob, OfferedSlot } from './hand-overs.ts';
import { testDriver, type TestDriver } from './testing/test-driver.ts';

const url = process.env['TEST_REDIS_URL'];
const JOB = { turnId: 'turn_1', epoch: 1 };

/** A worker with so many free slots, and what it was handed. */
class Worker {
  readonly handed: HandedJob[] = [];
  free: number;
  readonly #offers;

  constructor(backplane: Backplane, workerId: string, free: number) {
    this.free = free;
    this.#offers = backplane.handOvers.offer({
      workerId,
      leaseMs: 2_000,
      free: () => this.free,
      run: (job) => void this.handed.push(job),
    });
  }

  has(free: number): void {
    this.free = free;
    this.#offers.changed();
  }

  leave(): void {
    this.#offers.close();
  }
}

/** The server hears of a connection's end a moment after the process that closed it. */
async function untilNobodyListens(workerId: string): Promise<void> {
  const redis = new Redis(url ?? '');
  await untilTrue(
    'nobody listens',
    async () => (await redis.pubsub('CHANNELS', `*${workerId}`)).length === 0,
  );
  redis.disconnect();
}

(url === undefined ? describe.skip : describe)('Hand-overs on Redis', () => {
  let driver: TestDriver;
  let api: Backplane;
  let other: Backplane;
  beforeEach(async () => {
    driver = testDriver(url ?? '');
    [api, other] = [await driver.open(), await driver.open()];
  });
  afterEach(() => driver.clear());

  /** Takes slots until these processes have as many as they are offered: `expected`, and no more a moment later. */
  async function takeAll(expected: number, ...backplanes: Backplane[]): Promise<OfferedSlot[]> {
    const slots: OfferedSlot[] = [];
    const take = (): boolean => {
      for (const { handOvers } of backplanes) {
        const slot = handOvers.take();
        if (slot !== null) slots.push(slot);
      }
      return slots.length >= expected;
    };
    await untilTrue(`${expected} slots are offered`, take);
    await Promise.all(backplanes.map((backplane) => backplane.ping()));
    take();
    expect(slots).toHaveLength(expected);
    return slots;
  }

  it('gives a process no more slots than are free, and the turns that it sends to the worker', async () => {
    const worker = new Worker(other, 'w', 3);
    expect(api.handOvers.take()).toBeNull();
    const slots = await takeAll(3, api);
    expect(slots.map(({ workerId }) => workerId)).toEqual(['w', 'w', 'w']);
    expect(slots[0]?.leaseMs).toBe(2_000);
    expect(await slots[0]?.give(JOB)).toBe(true);
    await untilTrue('it came', () => worker.handed.length === 1);
    expect(worker.handed).toEqual([JOB]);
    slots[1]?.giveBack();
    expect(api.handOvers.take()).not.toBeNull();
  });

  it('offers more as turns come and slots are free, and none while none is', async () => {
    const worker = new Worker(other, 'w', 4);
    for (const slot of await takeAll(4, api)) await slot.give(JOB);
    await takeAll(4, api);
    worker.has(0);
    await untilTrue('nothing is offered', () => {
      const slot = api.handOvers.take();
      slot?.giveBack();
      return slot === null;
    });
    worker.has(2);
    await takeAll(2, api);
  });

  it('spreads turns over the workers that offer slots', async () => {
    for (const id of ['a', 'b']) void new Worker(other, id, 2);
    const seen = new Set<string>();
    await untilTrue('both offer', () => {
      const slots = [api.handOvers.take(), api.handOvers.take()];
      for (const slot of slots) if (slot !== null) seen.add(slot.workerId);
      for (const slot of slots) slot?.giveBack();
      return seen.size === 2;
    });
    const slots = (await takeAll(4, api)).map(({ workerId }) => workerId);
    expect(slots.toSorted()).toEqual(['a', 'a', 'b', 'b']);
    expect(slots[0]).not.toBe(slots[1]);
  });

  it('says so where the worker is gone, and takes no more of its slots', async () => {
    const gone = await driver.open();
    const workerId = randomUUID();
    const worker = new Worker(gone, workerId, 4);
    const slots = await takeAll(4, api);
    await gone.close();
    await untilNobodyListens(workerId);
    expect(await slots[0]?.give(JOB)).toBe(false);
    expect(worker.handed).toEqual([]);
    expect(api.handOvers.take()).toBeNull();
  });

  it('offers nothing of a worker that leaves, which still receives what was sent before', async () => {
    const worker = new Worker(other, 'w', 4);
    const slots = await takeAll(4, api);
    for (const slot of slots.slice(1)) slot.giveBack();
    worker.leave();
    await untilTrue('nothing is offered', () => {
      const slot = api.handOvers.take();
      slot?.giveBack();
      return slot === null;
    });
    expect(await slots[0]?.give(JOB)).toBe(true);
    await untilTrue('it came', () => worker.handed.length === 1);
  });

  it('shares the free slots of a worker among the processes that take some', async () => {
    const worker = new Worker(other, 'w', 4);
    await takeAll(4, api);
    // A second process takes some too.
    expect(other.handOvers.take()).toBeNull();
    const [slot] = await takeAll(2, other);
    await slot?.give(JOB);
    await untilTrue('it came', () => worker.handed.length === 1);
  });
});
