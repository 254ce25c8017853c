import { describe, expect, it } from '@jest/globals';
import { createCallGuard, type CallGuard, type CallGuardSettings } from './call-guard.ts';
import type { GuardedCall } from './dependency-guard.ts';

const neverAborted = (): AbortSignal => new AbortController().signal;
const succeeding = async (): Promise<string> => 'succeeded';
const failing = async (): Promise<never> => {
  throw new Error('down');
};
const open = expect.objectContaining({ code: 'circuit_open' });
const full = expect.objectContaining({ code: 'bulkhead_full' });

/** A guard with `minCalls` 4 and a manual clock. */
function testGuard(settings: CallGuardSettings = {}) {
  const time = { now: 0 };
  const times = { windowMs: 3_600_000, openMs: 1_000, maxOpenMs: 8_000, probeMs: 3_600_000 };
  return { guard: createCallGuard({ minCalls: 4, ...times, ...settings }, () => time.now), time };
}

async function breakOpen(guard: CallGuard, key = 'a'): Promise<void> {
  for (let call = 0; call < 4; call++)
    await expect(guard.run(key, neverAborted(), failing)).rejects.toThrow('down');
  await expect(guard.run(key, neverAborted(), succeeding)).rejects.toEqual(open);
}

/** Milliseconds for which the key is refused, according to the error. */
async function refusedFor(guard: CallGuard): Promise<number> {
  const error = await guard.run('a', neverAborted(), succeeding).catch((thrown: unknown) => thrown);
  expect(error).toEqual(open);
  return (error as { retryAfterMs: number }).retryAfterMs;
}

/** Calls that the test ends. */
function heldCalls() {
  const ends: ((error?: Error) => void)[] = [];
  const guarded: GuardedCall[] = [];
  const call = (guardedCall: GuardedCall): Promise<string> => {
    guarded.push(guardedCall);
    return new Promise((resolve, reject) => {
      ends.push((error) => (error === undefined ? resolve('done') : reject(error)));
    });
  };
  return { ends, guarded, call };
}

const settled = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe('a guarded call', () => {
  it('returns the result and throws the error of the call, even a synchronous one', async () => {
    const { guard } = testGuard();
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
    await expect(guard.run('a', neverAborted(), failing)).rejects.toThrow('down');
    const thrower = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(guard.run('a', neverAborted(), thrower)).rejects.toThrow('at once');
    expect(() => createCallGuard({ failureShare: 1 })).toThrow();
  });

  it('is not made if the signal has already aborted', async () => {
    const reason = new Error('stop');
    const { ends, call } = heldCalls();
    await expect(testGuard().guard.run('a', AbortSignal.abort(reason), call)).rejects.toBe(reason);
    expect(ends).toHaveLength(0);
  });
});

describe('the semaphore of a key', () => {
  it('lets some calls wait, refuses the rest, and does not affect other keys', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 1, maxWaitMs: 3_600_000 });
    const { ends, call } = heldCalls();
    const first = guard.run('hung', neverAborted(), call);
    const second = guard.run('hung', neverAborted(), call);
    await expect(guard.run('hung', neverAborted(), call)).rejects.toEqual(full);
    expect(await guard.run('other', neverAborted(), succeeding)).toBe('succeeded');
    expect(ends).toHaveLength(1);
    ends[0]?.();
    expect(await first).toBe('done');
    ends[1]?.();
    expect(await second).toBe('done');
  });

  it('holds the slot until the call ends, even after its signal aborted', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 0 });
    const { ends, call } = heldCalls();
    const turn = new AbortController();
    const ignoringAbort = guard.run('a', turn.signal, call);
    turn.abort(new Error('stop'));
    await expect(guard.run('a', neverAborted(), succeeding)).rejects.toEqual(full);
    ends[0]?.();
    await ignoringAbort;
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
  });

  it('limits the wait by time and by the signal; a call that gave up is never made', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 5, maxWaitMs: 20 });
    const { ends, call } = heldCalls();
    const first = guard.run('a', neverAborted(), call);
    await expect(guard.run('a', neverAborted(), call)).rejects.toEqual(full);
    const turn = new AbortController();
    const stopped = guard.run('a', turn.signal, call);
    const reason = new Error('stop');
    turn.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    ends[0]?.();
    await first;
    expect(ends).toHaveLength(1);
  });

  it('passes the slot to the next waiting call if the first one gave up', async () => {
    const { guard } = testGuard({ slots: 1, maxWaiting: 5, maxWaitMs: 3_600_000 });
    const { ends, call } = heldCalls();
    const first = guard.run('a', neverAborted(), call);
    const turn = new AbortController();
    const stopped = settled(guard.run('a', turn.signal, call));
    const third = guard.run('a', neverAborted(), succeeding);
    turn.abort(new Error('stop'));
    await stopped;
    ends[0]?.();
    await first;
    expect(await third).toBe('succeeded');
  });

  it('rejects waiting calls once the breaker opens', async () => {
    const { guard } = testGuard({ slots: 4, maxWaiting: 9, maxWaitMs: 3_600_000 });
    const { ends, call } = heldCalls();
    const failed = Array.from({ length: 4 }, () => settled(guard.run('a', neverAborted(), call)));
    const waiting = Array.from({ length: 9 }, () => settled(guard.run('a', neverAborted(), call)));
    for (const end of ends) end(new Error('down'));
    await Promise.all(failed);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => open));
    expect(ends).toHaveLength(4);
  });
});

describe('the breaker of a key', () => {
  it('opens when most calls fail: then it rejects at once, makes no call, and affects no other key', async () => {
    const { guard } = testGuard();
    await breakOpen(guard);
    const { ends, call } = heldCalls();
    await expect(guard.run('a', neverAborted(), call)).rejects.toEqual(open);
    expect(ends).toHaveLength(0);
    expect(await guard.run('b', neverAborted(), succeeding)).toBe('succeeded');
    expect(guard.states()).toEqual({ open: 1, half_open: 0, closed: 1 });
  });

  it('stays closed while half of the calls succeed, and while there were only a few calls', async () => {
    const { guard } = testGuard();
    for (let call = 0; call < 20; call++) {
      await guard.run('a', neverAborted(), succeeding);
      await settled(guard.run('a', neverAborted(), failing));
    }
    for (let call = 0; call < 3; call++) await settled(guard.run('b', neverAborted(), failing));
    expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 2 });
  });

  it('ignores failures from before a pause', async () => {
    const { guard, time } = testGuard();
    for (let call = 0; call < 3; call++) await settled(guard.run('a', neverAborted(), failing));
    time.now += 3_600_001;
    for (let call = 0; call < 3; call++) await settled(guard.run('a', neverAborted(), failing));
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
  });

  it('is not opened by errors that the caller does not count, or by aborted calls', async () => {
    const { guard } = testGuard();
    for (let call = 0; call < 8; call++) {
      await settled(guard.run('a', neverAborted(), failing, { isFailure: () => null }));
      const turn = new AbortController();
      const stopped = guard.run('a', turn.signal, async () => {
        turn.abort(new Error('stop'));
        throw new Error('aborted');
      });
      await expect(stopped).rejects.toThrow('aborted');
    }
    for (let call = 0; call < 8; call++) {
      await settled(guard.run('a', neverAborted(), failing, { isFailure: () => false }));
    }
    expect(guard.states().closed).toBe(1);
  });

  it('is opened by results that the caller counts as failures', async () => {
    const { guard } = testGuard();
    const isFailure = (): boolean => true;
    for (let call = 0; call < 4; call++)
      expect(await guard.run('a', neverAborted(), succeeding, { isFailure })).toBe('succeeded');
    await expect(guard.run('a', neverAborted(), succeeding)).rejects.toEqual(open);
  });
});

describe('an open breaker', () => {
  it('admits one probe after the open time, and a successful one closes it', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const { ends, call } = heldCalls();
    const probe = guard.run('a', neverAborted(), call);
    await expect(guard.run('a', neverAborted(), call)).rejects.toEqual(open);
    expect(guard.openForMs('a')).toBeGreaterThan(0);
    expect(guard.states()).toEqual({ open: 0, half_open: 1, closed: 0 });
    ends[0]?.();
    expect(await probe).toBe('done');
    expect(ends).toHaveLength(1);
    expect(guard.openForMs('a')).toBe(0);
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
    expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 1 });
  });

  it('doubles the open time after each failed probe, up to the limit, with jitter', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    const waits: number[] = [];
    for (let probe = 0; probe < 7; probe++) {
      waits.push(await refusedFor(guard));
      time.now += waits.at(-1) ?? 0;
      await expect(guard.run('a', neverAborted(), failing)).rejects.toThrow('down');
    }
    for (const [index, longest] of [1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(longest / 2);
      expect(waits[index]).toBeLessThanOrEqual(longest);
    }
    expect(new Set(waits).size).toBeGreaterThan(4);
  });

  it('ignores an aborted probe: the next call is the probe', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const turn = new AbortController();
    const { ends, call } = heldCalls();
    const probe = settled(guard.run('a', turn.signal, call));
    turn.abort(new Error('stop'));
    ends[0]?.(new Error('aborted'));
    await probe;
    await expect(guard.run('a', neverAborted(), failing)).rejects.toThrow('down');
    expect(await refusedFor(guard)).toBeLessThanOrEqual(2_000);
  });

  it('ignores calls that began before it opened, however they end', async () => {
    const { guard, time } = testGuard();
    const { ends, call } = heldCalls();
    const early = Array.from({ length: 8 }, () => settled(guard.run('a', neverAborted(), call)));
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const probe = guard.run('a', neverAborted(), call);
    for (const end of ends.slice(0, 4)) end(new Error('down'));
    await Promise.all(early.slice(0, 4));
    expect(guard.states().half_open).toBe(1);
    ends[8]?.();
    await probe;
    for (const end of ends.slice(4)) end(new Error('down'));
    await Promise.all(early);
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
  });

  it('closes as soon as the response begins, and counts a failure if it breaks later', async () => {
    const { guard, time } = testGuard();
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const { ends, guarded, call } = heldCalls();
    const probe = settled(guard.run('a', neverAborted(), call));
    guarded[0]?.reportSuccess();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
    await settled(guard.run('a', neverAborted(), failing));
    ends[0]?.(new Error('broke'));
    await probe;
    // Two of four failed: one more failure is the majority of five.
    expect(guard.states().closed).toBe(1);
    await settled(guard.run('a', neverAborted(), failing));
    expect(guard.states().open).toBe(1);
  });

  it('counts a hanging probe as failed, and closes if it succeeds later', async () => {
    const { guard, time } = testGuard({ probeMs: 20 });
    await breakOpen(guard);
    time.now += await refusedFor(guard);
    const { ends, call } = heldCalls();
    const hung = guard.run('a', neverAborted(), call);
    while (guard.states().open === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await refusedFor(guard)).toBeGreaterThanOrEqual(1_000);
    ends[0]?.();
    expect(await hung).toBe('done');
    expect(await guard.run('a', neverAborted(), succeeding)).toBe('succeeded');
  });
});

describe('the keys of a guard', () => {
  it('are evicted least recently used first, but not while open or in use', async () => {
    const { guard, time } = testGuard({ maxKeys: 4 });
    const { ends, call } = heldCalls();
    await breakOpen(guard);
    const used = guard.run('used', neverAborted(), call);
    for (let key = 0; key < 10; key++) await guard.run(`key ${key}`, neverAborted(), succeeding);
    expect(guard.states()).toEqual({ open: 1, half_open: 0, closed: 3 });
    time.now += await refusedFor(guard);
    for (let key = 0; key < 10; key++) await guard.run(`key ${key}`, neverAborted(), succeeding);
    expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 4 });
    ends[0]?.();
    await used;
  });
});
