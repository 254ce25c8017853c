import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TerminalError } from '@turnpike/contract';
import { untilTrue } from '../../../tests/support/until-true.ts';
import type { Backplane } from './backplane.ts';
import type { Signal } from './signal.ts';
import { testDriver, type TestDriver } from './testing/test-driver.ts';
import { HeldRuns, someJobs } from './testing/held-runs.ts';
import type { TurnJob } from './turn-job.ts';

const SERVERS = { redis: process.env['TEST_REDIS_URL'], postgres: process.env['TEST_DATABASE_URL'] };

/** The same tests for each driver. */
describe.each(Object.entries(SERVERS))('A backplane on %s', (name, url) => {
  if (url === undefined) {
    it.skip(`is not tried, since this machine has no ${name} for tests`, () => undefined);
    return;
  }

  let driver: TestDriver;
  let backplane: Backplane;
  beforeEach(async () => {
    driver = testDriver(url);
    backplane = await driver.open();
  });
  afterEach(async () => {
    await driver.clear();
    expect(reportedErrors.splice(0)).toEqual([]);
  });

  it('runs every job once, with its data, and keeps nothing of it', async () => {
    const ran: TurnJob[] = [];
    backplane.consume({ concurrency: 4, run: async (job) => void ran.push(job), onError: note });
    const given = someJobs(20);
    await backplane.enqueue(given);
    await untilTrue('all ran', () => ran.length === 20);
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    expect(ran.toSorted(byTurn)).toEqual(given.toSorted(byTurn));
    expect(await backplane.missing(given)).toHaveLength(20);
  });

  it('does not add a job that is already in the queue, and adds it again once it has ended', async () => {
    await backplane.enqueue(someJobs(3));
    await backplane.enqueue(someJobs(3));
    expect(await backplane.depth()).toEqual({ waiting: 3, active: 0 });
    let ran = 0;
    backplane.consume({ concurrency: 1, run: async () => void ran++, onError: note });
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    expect(ran).toBe(3);
    await backplane.enqueue(someJobs(1));
    await untilTrue('it ran again', () => ran === 4);
  });

  it('treats another epoch or another number of the same turn as a separate job', async () => {
    const [job] = someJobs(1);
    if (job === undefined) throw new Error('No job.');
    await backplane.enqueue([
      job,
      { ...job, epoch: job.epoch + 1 },
      { ...job, jobNumber: job.jobNumber + 1 },
    ]);
    expect(await backplane.depth()).toEqual({ waiting: 3, active: 0 });
  });

  it('never runs more jobs at once than its concurrency, and counts those that run', async () => {
    const runs = new HeldRuns();
    const consumer = backplane.consume({ concurrency: 3, run: runs.run, onError: note });
    await backplane.enqueue(someJobs(10));
    await untilTrue('three run', () => runs.now === 3);
    await untilTrue('three are active', async () => (await backplane.depth()).active === 3);
    expect(consumer.active).toBe(3);
    expect(await backplane.depth()).toEqual({ waiting: 7, active: 3 });
    runs.letGo();
    await untilTrue('all ran', () => runs.started.length === 10);
    expect(runs.most).toBe(3);
  });

  it('ends a claimed job while its run continues, where another job can run instead', async () => {
    const runs = new HeldRuns();
    const run = (job: TurnJob, claimed: () => void): Promise<void> => {
      claimed();
      return runs.run(job);
    };
    const consumer = backplane.consume({ concurrency: 3, unclaimedAtOnce: 2, run, onError: note });
    await backplane.enqueue(someJobs(10));
    await untilTrue('three run', () => runs.now === 3);
    await untilTrue('a job is over', async () => (await backplane.depth()).active === 2);
    expect(consumer.active).toBe(3);
    expect(await backplane.depth()).toEqual({ waiting: 7, active: 2 });
    expect(await backplane.missing(someJobs(10))).toHaveLength(1);
    runs.letGo();
    await untilTrue('all ran', () => runs.started.length === 10);
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    expect(runs.most).toBe(3);
  });

  it('never exceeds its concurrency, in whatever order jobs are claimed and runs end', async () => {
    const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
    let now = 0;
    let most = 0;
    let ended = 0;
    const run = async (_job: TurnJob, claimed: () => void): Promise<void> => {
      most = Math.max(most, ++now);
      await moment();
      if (Math.random() < 0.8) claimed();
      await moment();
      now -= 1;
      ended += 1;
    };
    backplane.consume({ concurrency: 7, unclaimedAtOnce: 4, run, onError: note });
    for (let start = 0; start < 400; start += 50) await backplane.enqueue(someJobs(50, start));
    await untilTrue('all ran', () => ended === 400);
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    expect(most).toBeLessThanOrEqual(7);
  });

  it('never exceeds its concurrency with runs that have no job, which leave a slot to jobs', async () => {
    const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
    let now = 0;
    let most = 0;
    let ended = 0;
    let withoutJob = 0;
    const hold = async (): Promise<void> => {
      most = Math.max(most, ++now);
      await moment();
      now -= 1;
    };
    const run = async (_job: TurnJob, claimed: () => void): Promise<void> => {
      claimed();
      await hold();
      ended += 1;
    };
    const consumer = backplane.consume({ concurrency: 7, unclaimedAtOnce: 4, run, onError: note });
    const takeOthers = async (): Promise<void> => {
      for (;;) {
        if (ended >= 200) return;
        const free = consumer.takeSlot();
        if (free !== null) {
          withoutJob += 1;
          void hold().finally(free);
        }
        await new Promise(setImmediate);
      }
    };
    const others = takeOthers();
    for (let start = 0; start < 200; start += 50) await backplane.enqueue(someJobs(50, start));
    await untilTrue('all ran', () => ended === 200);
    await others;
    expect(most).toBeLessThanOrEqual(7);
    expect(withoutJob).toBeGreaterThan(0);
    await untilTrue('no other runs', () => now === 0);
    const taken = Array.from({ length: 9 }, () => consumer.takeSlot());
    expect(taken.filter((free) => free !== null)).toHaveLength(6);
    expect(consumer.freeSlots).toBe(0);
    await backplane.enqueue(someJobs(1, 500));
    await untilTrue('a job runs', () => ended === 201);
    for (const free of taken) free?.();
    expect(consumer.freeSlots).toBe(6);
    await consumer.pause();
    expect(consumer.takeSlot()).toBeNull();
  });

  it('separates the queue of deliveries from that of turns: neither consumer receives jobs of the other', async () => {
    const ran: unknown[] = [];
    const given = [1, 2, 3].map((number) => ({ deliveryId: `dlv_${number}`, jobNumber: number }));
    await backplane.deliveries.enqueue(given);
    await backplane.deliveries.enqueue(given);
    await backplane.enqueue(someJobs(1));
    expect(await backplane.deliveries.depth()).toEqual({ waiting: 3, active: 0 });
    expect(await backplane.depth()).toEqual({ waiting: 1, active: 0 });
    expect(await backplane.deliveries.missing([...given, { deliveryId: 'dlv_4', jobNumber: 1 }])).toEqual([
      { deliveryId: 'dlv_4', jobNumber: 1 },
    ]);
    const run = async (job: unknown): Promise<void> => void ran.push(job);
    backplane.deliveries.consume({ concurrency: 1, run, onError: note });
    await untilTrue('all ran', () => ran.length === 3);
    expect(ran).toEqual(given);
    expect(await backplane.depth()).toEqual({ waiting: 1, active: 0 });
  });

  it('separates the queues of turns, and finds the jobs of each there and nowhere else', async () => {
    const of = (queue: string | null) => someJobs(2).map((job) => ({ ...job, queue }));
    const [plain, pooled] = [of(null), of('turns.gpu.0123456789abcdef')];
    await backplane.enqueue([...plain, ...pooled]);
    expect(await backplane.depth()).toEqual({ waiting: 4, active: 0 });
    const elsewhere = of('turns.other');
    expect(await backplane.missing([...plain, ...pooled, ...elsewhere])).toEqual(elsewhere);
    const ran: TurnJob[] = [];
    const run = async (job: TurnJob): Promise<void> => void ran.push(job);
    const consumer = backplane.consume({ concurrency: 1, run, onError: note }, 'turns.gpu.0123456789abcdef');
    await untilTrue('both ran', () => ran.length === 2);
    expect(ran).toEqual(someJobs(2));
    await consumer.close(1_000);
    expect(await backplane.missing([...plain, ...pooled])).toEqual(pooled);
  });

  it('reports an error that a run throws, removes its job and continues', async () => {
    const errors: Error[] = [];
    const ran: string[] = [];
    const run = async ({ turnId }: TurnJob): Promise<void> => {
      ran.push(turnId);
      if (turnId === 'turn_0') throw new Error('The run failed.');
    };
    backplane.consume({ concurrency: 1, run, onError: (error) => void errors.push(error) });
    await backplane.enqueue(someJobs(2));
    await untilTrue('both ran', () => ran.length === 2);
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    expect(errors.map(({ message }) => message)).toEqual(['The run failed.']);
    expect(ran).toEqual(['turn_0', 'turn_1']);
  });

  it('reports and removes an invalid job without running it', async () => {
    const errors: Error[] = [];
    const ran: TurnJob[] = [];
    await driver.addStrangeJob({ turnId: 7, body: 'something private' });
    await backplane.enqueue(someJobs(1));
    const run = async (job: TurnJob): Promise<void> => void ran.push(job);
    backplane.consume({ concurrency: 1, run, onError: (error) => void errors.push(error) });
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    await untilTrue('it is reported', () => errors.length > 0);
    expect(ran).toEqual(someJobs(1));
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(/not a valid job for a turn/);
    expect(errors[0]?.message).not.toMatch(/private/);
  });

  it('finds the jobs that are missing: neither waiting nor running', async () => {
    const runs = new HeldRuns();
    const [running, waiting, unknown] = someJobs(3) as [TurnJob, TurnJob, TurnJob];
    backplane.consume({ concurrency: 1, run: runs.run, onError: note });
    await backplane.enqueue([running]);
    await untilTrue('it runs', () => runs.now === 1);
    await backplane.enqueue([waiting]);
    expect(await backplane.missing([running, waiting, unknown])).toEqual([unknown]);
    expect(await backplane.missing([])).toEqual([]);
    runs.letGo();
  });

  it('counts a job as missing when its process is silent, and runs it in another', async () => {
    const dying = await driver.open({ lockMs: 1_000 });
    const runs = new HeldRuns();
    const consumer = dying.consume({ concurrency: 1, run: runs.run, onError: note });
    await backplane.enqueue(someJobs(1));
    await untilTrue('it runs', () => runs.now === 1);
    expect(await backplane.missing(someJobs(1))).toEqual([]);
    await consumer.close(0);
    await untilTrue('it is missing', async () => (await backplane.missing(someJobs(1))).length === 1);

    let ran = 0;
    const healthy = await driver.open({ lockMs: 1_000 });
    healthy.consume({ concurrency: 1, run: async () => void ran++, onError: note });
    await untilTrue('another ran it', () => ran === 1);
    runs.letGo();
  });

  it('renews the lock of a job that runs longer than it lasts', async () => {
    const patient = await driver.open({ lockMs: 2_000 });
    const runs = new HeldRuns();
    patient.consume({ concurrency: 2, run: runs.run, onError: note });
    await patient.enqueue(someJobs(1));
    await untilTrue('it runs', () => runs.now === 1);
    const until = performance.now() + 5_000;
    await untilTrue('more than two locks have passed', async () => {
      expect(await patient.missing(someJobs(1))).toEqual([]);
      return performance.now() > until;
    });
    runs.letGo();
    await untilTrue('the queue is empty', async () => isEmpty(await patient.depth()));
    expect(runs.started.length).toBe(1);
  });

  it('receives nothing once it is paused, so that other consumers receive everything', async () => {
    const mine: TurnJob[] = [];
    const theirs: TurnJob[] = [];
    const paused = backplane.consume({
      concurrency: 5,
      run: async (job) => void mine.push(job),
      onError: note,
    });
    await backplane.enqueue(someJobs(1));
    await untilTrue('it works', () => mine.length === 1);
    // Its blocking read is in progress now, and a job that it returns has to go to another consumer.
    await paused.pause();
    const other = await driver.open();
    other.consume({ concurrency: 5, run: async (job) => void theirs.push(job), onError: note });
    for (const job of someJobs(30).slice(1)) await backplane.enqueue([job]);
    await untilTrue('the others took all', () => theirs.length === 29);
    expect(mine).toHaveLength(1);
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
  });

  it('waits for running jobs when it closes, and leaves the others in the queue', async () => {
    const runs = new HeldRuns();
    const consumer = backplane.consume({ concurrency: 1, run: runs.run, onError: note });
    await backplane.enqueue(someJobs(2));
    await untilTrue('one runs', () => runs.now === 1);
    let closed = false;
    const closing = consumer.close(30_000).then(() => (closed = true));
    await backplane.ping();
    expect(closed).toBe(false);
    runs.letGo();
    await closing;
    expect(runs.started.length).toBe(1);
    expect(await backplane.depth()).toEqual({ waiting: 1, active: 0 });
  });

  it('closes by force when running jobs do not end in time', async () => {
    const runs = new HeldRuns();
    const consumer = backplane.consume({ concurrency: 1, run: runs.run, onError: note });
    await backplane.enqueue(someJobs(1));
    await untilTrue('it runs', () => runs.now === 1);
    await consumer.close(50);
    expect(consumer.active).toBe(1);
    runs.letGo();
    await untilTrue('it ends all the same', () => consumer.active === 0);
  });

  it('runs 2,000 jobs', async () => {
    let ran = 0;
    backplane.consume({ concurrency: 50, run: async () => void ran++, onError: note });
    for (let start = 0; start < 2_000; start += 100) await backplane.enqueue(someJobs(100, start));
    await untilTrue('all ran', () => ran === 2_000);
    await untilTrue('the queue is empty', async () => isEmpty(await backplane.depth()));
    expect(ran).toBe(2_000);
  });

  it('delivers a signal to every subscriber of its channel in every process, its own included', async () => {
    const other = await driver.open();
    const heard = {
      own: [] as Signal[],
      second: [] as Signal[],
      other: [] as Signal[],
      control: [] as Signal[],
    };
    await backplane.subscribe('turns', (signal) => void heard.own.push(signal));
    await backplane.subscribe('turns', (signal) => void heard.second.push(signal));
    await other.subscribe('turns', (signal) => void heard.other.push(signal));
    await other.subscribe('control', (signal) => void heard.control.push(signal));
    await backplane.publish('turns', { turn_id: 'turn_1', status: 'completed' });
    await backplane.publish('control', { cancel: 'turn_2' });
    await untilTrue('all heard', () => Object.values(heard).every((signals) => signals.length > 0));
    const signal = { turn_id: 'turn_1', status: 'completed' };
    expect(heard).toEqual({
      own: [signal],
      second: [signal],
      other: [signal],
      control: [{ cancel: 'turn_2' }],
    });
  });

  it('delivers hundreds of signals that are published at once', async () => {
    const numbers = new Set<unknown>();
    await backplane.subscribe('turns', ({ number }) => void numbers.add(number));
    for (let start = 0; start < 500; start += 50) {
      const batch = Array.from({ length: 50 }, (_, index) => ({ number: start + index }));
      await Promise.all(batch.map((signal) => backplane.publish('turns', signal)));
    }
    await untilTrue('all came', () => numbers.size === 500);
  });

  it('delivers nothing after an unsubscribe, and still delivers to the other subscribers', async () => {
    const left: Signal[] = [];
    const stayed: Signal[] = [];
    const leave = await backplane.subscribe('turns', (signal) => void left.push(signal));
    const leaveToo = await backplane.subscribe('turns', (signal) => void stayed.push(signal));
    await leave();
    await leave();
    await backplane.publish('turns', { number: 1 });
    await untilTrue('who stayed heard', () => stayed.length === 1);
    await leaveToo();
    await backplane.subscribe('turns', (signal) => void stayed.push(signal));
    await backplane.publish('turns', { number: 2 });
    await untilTrue('who came back heard', () => stayed.length === 2);
    expect(left).toEqual([]);
  });

  it('continues when a listener throws, and reports the error', async () => {
    const heard: Signal[] = [];
    await backplane.subscribe('turns', () => {
      throw new Error('A listener failed.');
    });
    await backplane.subscribe('turns', (signal) => void heard.push(signal));
    await backplane.publish('turns', { number: 1 });
    await untilTrue('the other heard', () => heard.length === 1);
    expect(driver.errors.map(({ message }) => message)).toEqual(['A listener failed.']);
  });

  it('refuses a signal of more than 4 kB, and delivers one just below', async () => {
    const heard: Signal[] = [];
    await backplane.subscribe('turns', (signal) => void heard.push(signal));
    await expect(backplane.publish('turns', { text: 'x'.repeat(4_096) })).rejects.toThrow(TerminalError);
    await backplane.publish('turns', { text: 'x'.repeat(4_000) });
    await untilTrue('it came', () => heard.length === 1);
  });

  it('refuses a job whose turn id cannot be part of a job id', async () => {
    await expect(backplane.enqueue([{ turnId: 'a:b', epoch: 0, jobNumber: 0 }])).rejects.toThrow(/turnId/);
    expect(await backplane.depth()).toEqual({ waiting: 0, active: 0 });
  });

  it('closes with open consumers and subscriptions, and may be closed twice', async () => {
    const runs = new HeldRuns();
    backplane.consume({ concurrency: 1, run: runs.run, onError: note });
    await backplane.subscribe('turns', () => undefined);
    await backplane.enqueue(someJobs(1));
    await untilTrue('it runs', () => runs.now === 1);
    await backplane.close();
    await backplane.close();
    runs.letGo();
  });

  it('grants no more retries than the allowance, across processes', async () => {
    const other = await driver.open();
    const startedAt = performance.now();
    const granted = await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? backplane : other).retryBudget.take('a')),
    );
    const count = granted.filter(Boolean).length;
    expect(count).toBeGreaterThanOrEqual(10);
    // One is regained every two seconds.
    expect(count).toBeLessThanOrEqual(11 + (performance.now() - startedAt) / 2_000);
    expect(await other.retryBudget.take('b')).toBe(true);
  });

  it('grants one more retry for ten successes, also those of another process', async () => {
    const other = await driver.open();
    while (await backplane.retryBudget.take('a'));
    for (let success = 0; success < 200; success++) other.retryBudget.deposit('a');
    // Time alone never gives more than the allowance.
    await other.retryBudget.take('a');
    let granted = 1;
    while (granted < 15 && (await backplane.retryBudget.take('a'))) granted++;
    expect(granted).toBe(15);
  });

  it('returns the token of a retry that succeeded, without another request for one', async () => {
    while (await backplane.retryBudget.take('a'));
    for (let retry = 0; retry < 40; retry++) backplane.retryBudget.deposit('a', true);
    const other = await driver.open();
    let granted = 0;
    // Time alone would take more than a minute to give as many.
    await untilTrue('they have arrived', async () => {
      while (await other.retryBudget.take('a')) granted++;
      return granted >= 40;
    });
  });

  it('counts the requests of all processes in one bucket for each key', async () => {
    const other = await driver.open();
    const rate = { perSecond: 50 };
    const startedAt = performance.now();
    const left = [
      await backplane.spendRequests('a', 20, rate),
      await other.spendRequests('a', 20, rate),
      await backplane.spendRequests('a', 20, rate),
    ];
    const earned = ((performance.now() - startedAt) / 1_000) * rate.perSecond;
    for (const [index, spent] of [20, 40, 60].entries()) {
      expect(left[index]).toBeGreaterThanOrEqual(50 - spent - 1e-6);
      expect(left[index]).toBeLessThanOrEqual(50 - spent + earned);
    }
    expect(await other.spendRequests('b', 1, rate)).toBe(49);
  });

  it('regains one second’s worth in a second, holds at most that much, and owes at most that much', async () => {
    const rate = { perSecond: 100 };
    const owed = await backplane.spendRequests('a', 10_000, rate);
    expect(owed).toBe(-100);
    const startedAt = performance.now();
    await untilTrue('the debt is paid', async () => (await backplane.spendRequests('a', 0, rate)) >= 0);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    await untilTrue('it is full', async () => (await backplane.spendRequests('a', 0, rate)) === 100);
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  });

  it('uses a changed rate', async () => {
    await backplane.spendRequests('a', 0, { perSecond: 100 });
    expect(await backplane.spendRequests('a', 1, { perSecond: 10 })).toBe(9);
  });

  it('loses no request when many are counted at once', async () => {
    const other = await driver.open();
    const rate = { perSecond: 1_000 };
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? backplane : other).spendRequests('a', 20, rate)),
    );
    const left = await backplane.spendRequests('a', 0, rate);
    // Only what was regained meanwhile.
    expect(left).toBeLessThanOrEqual(1_000 - 1_200 + ((performance.now() - startedAt) / 1_000) * 1_000 + 1);
  });

  it('can be opened by many processes at once in an empty database', async () => {
    const fresh = testDriver(url);
    try {
      const opened = await Promise.all(Array.from({ length: 4 }, () => fresh.open()));
      const heard: Signal[] = [];
      await opened[3]?.subscribe('turns', (signal) => void heard.push(signal));
      await opened[0]?.publish('turns', { number: 1 });
      await untilTrue('they hear each other', () => heard.length === 1);
      expect(fresh.errors).toEqual([]);
    } finally {
      await fresh.clear();
    }
  });
});

function byTurn(one: TurnJob, other: TurnJob): number {
  return one.turnId.localeCompare(other.turnId);
}

function isEmpty({ waiting, active }: { waiting: number; active: number }): boolean {
  return waiting + active === 0;
}

/** Errors of consumers that no test expected. */
const reportedErrors: Error[] = [];
function note(error: Error): void {
  reportedErrors.push(error);
}
