import { describe, expect, it } from '@jest/globals';
import { createCallGuard, type CallGuard, type CallGuardSettings } from './call-guard.ts';
import type { GuardedCall } from './dependency-guard.ts';

const calm = (): AbortSignal => new AbortController().signal;
const well = async (): Promise<string> => 'well';
const failing = async (): Promise<never> => {
  throw new Error('down');
};
const open = expect.objectContaining({ code: 'circuit_open' });
const full = expect.objectContaining({ code: 'bulkhead_full' });

/** A guard of four calls a window, whose time passes when the test says so. */
function testGuard(settings: CallGuardSettings = {}) {
  const time = { now: 0 };
  const times = { windowMs: 3_600_000, openMs: 1_000, maxOpenMs: 8_000, probeMs: 3_600_000 };
  return { guard: createCallGuard({ minCalls: 4, ...times, ...settings }, () => time.now), time };
}

async function breakOpen(guard: CallGuard, key = 'a'): Promise<void> {
  for (let call = 0; call < 4; call++) await expect(guard.run(key, calm(), failing)).rejects.toThrow('down');
  await expect(guard.run(key, calm(), well)).rejects.toEqual(open);
}

/** Milliseconds for which the key is refused, as those are told who come. */
async function refusedFor(guard: CallGuard): Promise<number> {
  const error = await guard.run('a', calm(), well).catch((thrown: unknown) => thrown);
  expect(error).toEqual(open);
  return (error as { retryAfterMs: number }).retryAfterMs;
}

/** Calls that end when the test says so. */
function heldCalls() {
  const ends: ((error?: Error) => void)[] = [];
  const guarded: GuardedCall[] = [];
  const call = (given: GuardedCall): Promise<string> => {
    guarded.push(given);
    return new Promise((resolve, reject) => {
      ends.push((error) => (error === undefined ? resolve('done') : reject(error)));
    });
  };
  return { ends, guarded, call };
}

const settled = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe('a guarded call', () => {
  it('gives what it gives, and throws what it throws, also before its first await', async () => {
    const { guard } = testGuard();
    expect(await guard.run('a', calm(), well)).toBe('well');
    await expect(guard.run('a', calm(), failing)).rejects.toThrow('down');
    const thrower = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(guard.run('a', calm(), thrower)).rejects.toThrow('at once');
    expect(() => createCallGuard({ failureShare: 1 })).toThrow();
  });

  it('is not made for a turn that has stopped', async () => {
    const reason = new Error('stop');
    const { ends, call } = heldCalls();
    await expect(testGuard().guard.run('a', AbortSignal.abort(reason), call)).rejects.toBe(reason);
    expect(ends).toHaveLength(0);
  });
});

describe('the room of a key', () => {
  it('lets some wait, refuses the rest, and is no other key’s', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 1, maxWaitMs: 3_600_000 });
    const { ends, call } = heldCalls();
    const first = guard.run('hung', calm(), call);
    const second = guard.run('hung', calm(), call);
    await expect(guard.run('hung', calm(), call)).rejects.toEqual(full);
    expect(await guard.run('other', calm(), well)).toBe('well');
    expect(ends).toHaveLength(1);
    ends[0]?.();
    expect(await first).toBe('done');
    ends[1]?.();
    expect(await second).toBe('done');
  });

  it('is taken until the call ends, not only until its turn has stopped', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 0 });
    const { ends, call } = heldCalls();
    const turn = new AbortController();
    const deaf = guard.run('a', turn.signal, call);
    turn.abort(new Error('stop'));
    await expect(guard.run('a', calm(), well)).rejects.toEqual(full);
    ends[0]?.();
    await deaf;
    expect(await guard.run('a', calm(), well)).toBe('well');
  });

  it('is waited for only so long, and no longer than the turn runs; a call that gave up is never made', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 5, maxWaitMs: 20 });
    const { ends, call } = heldCalls();
    const first = guard.run('a', calm(), call);
    await expect(guard.run('a', calm(), call)).rejects.toEqual(full);
    const turn = new AbortController();
    const stopped = guard.run('a', turn.signal, call);
    const reason = new Error('stop');
    turn.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    ends[0]?.();
    await first;
    expect(ends).toHaveLength(1);
  });

  it('goes to whoever waits behind one that gave up', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 5, maxWaitMs: 3_600_000 });
    const { ends, call } = heldCalls();
    const first = guard.run('a', calm(), call);
    const turn = new AbortController();
    const stopped = settled(guard.run('a', turn.signal, call));
    const third = guard.run('a', calm(), well);
    turn.abort(new Error('stop'));
    await stopped;
    ends[0]?.();
    await first;
    expect(await third).toBe('well');
  });

  it('is waited for no longer once the breaker opens', async () => {
    const { guard } = testGuard({ slots: 4, maxWaiting: 9, maxWaitMs: 3_600_000 });
    const { ends, call } = heldCalls();
    const failed = Array.from({ length: 4 }, () => settled(guard.run('a', calm(), call)));
    const waiting = Array.from({ length: 9 }, () => settled(guard.run('a', calm(), call)));
    for (const end of ends) end(new Error('down'));
    await Promise.all(failed);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => open));
    expect(ends).toHaveLength(4);
  });
});

describe('the breaker of a key', () => {
  it('opens when most calls fail: then it answers at once, calls nobody, and harms no other key', async () => {
    const { guard } = testGuard();
    await breakOpen(guard);
    const { ends, call } = heldCalls();
    await expect(guard.run('a', calm(), call)).rejects.toEqual(open);
    expect(ends).toHaveLength(0);
    expect(await guard.run('b', calm(), well)).toBe('well');
    expect(guard.states()).toEqual({ open: 1, half_open: 0, closed: 1 });
  });

  it('stays closed while half of the calls go well, and while there were only a few', async () => {
    const { guard } = testGuard();
    for (let call = 0; call < 20; call++) {
      await guard.run('a', calm(), well);
      await settled(guard.run('a', calm(), failing));
    }
    for (let call = 0; call < 3; call++) await settled(guard.run('b', calm(), failing));
    expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 2 });
  });

  it('forgets what failed before a pause', async () => {
    const { guard, time } = testGuard();
    for (let call = 0; call < 3; call++) await settled(guard.run('a', calm(), failing));
    time.now += 3_600_001;
    for (let call = 0; call < 3; call++) await settled(guard.run('a', calm(), failing));
    expect(await guard.run('a', calm(), well)).toBe('well');
  });

  it('is not opened by what the caller excuses, by what says nothing, or by what its turn stopped', async () => {
    const { guard } = testGuard();
    for (let call = 0; call < 8; call++) {
      await settled(guard.run('a', calm(), failing, { isFailure: () => null }));
      const turn = new AbortController();
      const stopped = guard.run('a', turn.signal, async () => {
        turn.abort(new Error('stop'));
        throw new Error('cut off');
      });
      await expect(stopped).rejects.toThrow('cut off');
    }
    for (let call = 0; call < 8; call++) {
      await settled(guard.run('a', calm(), failing, { isFailure: () => false }));
    }
    expect(guard.states().closed).toBe(1);
  });

  it('is opened by results that the caller calls failures', async () => {
    const { guard } = testGuard();
    const isFailure = (): boolean => true;
    for (let call = 0; call < 4; call++)
      expect(await guard.run('a', calm(), well, { isFailure })).toBe('well');
    await expect(guard.run('a', calm(), well)).rejects.toEqual(open);
  });
});

describe('an open breaker', () => {
  it('lets one probe through after its time, and a good one closes it', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const { ends, call } = heldCalls();
    const probe = guard.run('a', calm(), call);
    await expect(guard.run('a', calm(), call)).rejects.toEqual(open);
    expect(guard.openForMs('a')).toBeGreaterThan(0);
    expect(guard.states()).toEqual({ open: 0, half_open: 1, closed: 0 });
    ends[0]?.();
    expect(await probe).toBe('done');
    expect(ends).toHaveLength(1);
    expect(guard.openForMs('a')).toBe(0);
    expect(await guard.run('a', calm(), well)).toBe('well');
    expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 1 });
  });

  it('stays open for twice as long after each probe that fails, up to its limit, and never quite the same', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    const waits: number[] = [];
    for (let probe = 0; probe < 7; probe++) {
      waits.push(await refusedFor(guard));
      time.now += waits.at(-1) ?? 0;
      await expect(guard.run('a', calm(), failing)).rejects.toThrow('down');
    }
    for (const [place, longest] of [1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000].entries()) {
      expect(waits[place]).toBeGreaterThanOrEqual(longest / 2);
      expect(waits[place]).toBeLessThanOrEqual(longest);
    }
    expect(new Set(waits).size).toBeGreaterThan(4);
  });

  it('learns nothing of a probe that its turn stopped: the next call is the probe', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const turn = new AbortController();
    const { ends, call } = heldCalls();
    const probe = settled(guard.run('a', turn.signal, call));
    turn.abort(new Error('stop'));
    ends[0]?.(new Error('cut off'));
    await probe;
    await expect(guard.run('a', calm(), failing)).rejects.toThrow('down');
    expect(await refusedFor(guard)).toBeLessThanOrEqual(2_000);
  });

  it('hears nothing of calls that began before it opened, however they end', async () => {
    const { guard, time } = testGuard();
    const { ends, call } = heldCalls();
    const early = Array.from({ length: 8 }, () => settled(guard.run('a', calm(), call)));
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const probe = guard.run('a', calm(), call);
    for (const end of ends.slice(0, 4)) end(new Error('down'));
    await Promise.all(early.slice(0, 4));
    expect(guard.states().half_open).toBe(1);
    ends[8]?.();
    await probe;
    for (const end of ends.slice(4)) end(new Error('down'));
    await Promise.all(early);
    expect(await guard.run('a', calm(), well)).toBe('well');
  });

  it('closes as soon as the answer begins, and counts it all the same where it breaks later', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const { ends, guarded, call } = heldCalls();
    const probe = settled(guard.run('a', calm(), call));
    guarded[0]?.reportSuccess();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await guard.run('a', calm(), well)).toBe('well');
    await settled(guard.run('a', calm(), failing));
    ends[0]?.(new Error('broke'));
    await probe;
    // Two of four: the next failure makes the most of five.
    expect(guard.states().closed).toBe(1);
    await settled(guard.run('a', calm(), failing));
    expect(guard.states().open).toBe(1);
  });

  it('does not wait for ever for a probe that hangs, and believes its answer when it comes', async () => {
    const { guard, time } = testGuard({ probeMs: 20 });
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const { ends, call } = heldCalls();
    const hung = guard.run('a', calm(), call);
    while (guard.states().open === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await refusedFor(guard)).toBeGreaterThanOrEqual(1_000);
    ends[0]?.();
    expect(await hung).toBe('done');
    expect(await guard.run('a', calm(), well)).toBe('well');
  });
});

describe('the keys of a guard', () => {
  it('are forgotten by age, but none that keeps callers away or is in use', async () => {
    const { guard, time } = testGuard({ maxKeys: 4 });
    const { ends, call } = heldCalls();
    await breakOpen(guard);
    const used = guard.run('used', calm(), call);
    for (let key = 0; key < 10; key++) await guard.run(`key ${key}`, calm(), well);
    expect(guard.states()).toEqual({ open: 1, half_open: 0, closed: 3 });
    time.now += await refusedFor(guard);
    for (let key = 0; key < 10; key++) await guard.run(`key ${key}`, calm(), well);
    expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 4 });
    ends[0]?.();
    await used;
  });
});
