import { expect, test } from '@jest/globals';
import { createCallGuard, type CallGuardSettings } from './call-guard.ts';

const calm = (): AbortSignal => new AbortController().signal;
const failing = async (): Promise<never> => {
  throw new Error('down');
};
const SENSITIVE: CallGuardSettings = { minCalls: 4, windowMs: 3_600_000, openMs: 50, maxOpenMs: 50 };

/** A call that ends when the test says so. */
function held() {
  const ends: (() => void)[] = [];
  const call = (): Promise<string> => new Promise((resolve) => ends.push(() => resolve('done')));
  const untilCalls = async (count: number): Promise<void> => {
    while (ends.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { ends, call, untilCalls };
}

async function breakOpen(guard: ReturnType<typeof createCallGuard>, key: string): Promise<void> {
  for (let call = 0; call < 40 && guard.states().open === 0; call++) {
    await guard.run(key, calm(), failing).catch(() => undefined);
  }
  expect(guard.states().open).toBe(1);
}

test('a call gives what it gives, and throws what it throws', async () => {
  const guard = createCallGuard();
  expect(await guard.run('a', calm(), async () => 7)).toBe(7);
  await expect(guard.run('a', calm(), failing)).rejects.toThrow('down');
});

test('a key that is full lets some wait, refuses the rest, and harms no other key', async () => {
  const guard = createCallGuard({ places: 1, maxWaiting: 1, maxWaitMs: 3_600_000 });
  const { ends, call, untilCalls } = held();
  const first = guard.run('hung', calm(), call);
  await untilCalls(1);
  const second = guard.run('hung', calm(), call);
  await expect(guard.run('hung', calm(), call)).rejects.toMatchObject({ code: 'bulkhead_full' });
  expect(await guard.run('other', calm(), async () => 'well')).toBe('well');
  ends[0]?.();
  expect(await first).toBe('done');
  await untilCalls(2);
  ends[1]?.();
  expect(await second).toBe('done');
});

test('a call that waits for room gives up in time, and at once when its turn stops; it never runs then', async () => {
  const guard = createCallGuard({ places: 1, maxWaiting: 5, maxWaitMs: 20 });
  const { ends, call, untilCalls } = held();
  const first = guard.run('a', calm(), call);
  await untilCalls(1);
  await expect(guard.run('a', calm(), call)).rejects.toMatchObject({ code: 'bulkhead_full' });
  const turn = new AbortController();
  const stopped = guard.run('a', turn.signal, call);
  const reason = new Error('stop');
  turn.abort(reason);
  await expect(stopped).rejects.toBe(reason);
  ends[0]?.();
  await first;
  expect(await guard.run('a', calm(), async () => 'room')).toBe('room');
  expect(ends).toHaveLength(1);
});

test('the place of a call that gave up while it waited goes to the one behind it, at once', async () => {
  const guard = createCallGuard({ places: 1, maxWaiting: 5, maxWaitMs: 3_600_000 });
  const { ends, call, untilCalls } = held();
  const first = guard.run('a', calm(), call);
  await untilCalls(1);
  const turn = new AbortController();
  const second = guard.run('a', turn.signal, call);
  const third = guard.run('a', calm(), async () => 'third');
  turn.abort(new Error('stop'));
  await expect(second).rejects.toThrow('stop');
  ends[0]?.();
  await first;
  expect(await third).toBe('third');
});

test('a key whose calls fail is left alone: an open breaker answers at once, and calls nobody', async () => {
  const guard = createCallGuard({ ...SENSITIVE, openMs: 3_600_000, maxOpenMs: 3_600_000 });
  await breakOpen(guard, 'a');
  let calls = 0;
  const refused = guard.run('a', calm(), async () => (calls += 1));
  await expect(refused).rejects.toMatchObject({ code: 'circuit_open', retryAfterMs: expect.any(Number) });
  expect(calls).toBe(0);
  expect(await guard.run('b', calm(), async () => 'well')).toBe('well');
});

test('after its time one probe goes through, the others are still refused, and a good one closes the breaker', async () => {
  const guard = createCallGuard(SENSITIVE);
  await breakOpen(guard, 'a');
  const { ends, call } = held();
  let probe: Promise<string> | undefined;
  while (ends.length === 0) {
    probe = guard.run('a', calm(), call);
    probe.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expect(guard.run('a', calm(), call)).rejects.toMatchObject({ code: 'circuit_open' });
  expect(ends).toHaveLength(1);
  expect(guard.states()).toEqual({ open: 0, half_open: 1, closed: 0 });
  ends[0]?.();
  expect(await probe).toBe('done');
  expect(await guard.run('a', calm(), async () => 'well')).toBe('well');
  expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 1 });
});

test('what is no fault of the other side, and what its turn stopped, does not open the breaker', async () => {
  const guard = createCallGuard(SENSITIVE);
  for (let call = 0; call < 20; call++) {
    await guard.run('a', calm(), failing, { isFailure: () => false }).catch(() => undefined);
    const turn = new AbortController();
    const stopped = guard.run('a', turn.signal, async () => {
      turn.abort(new Error('stop'));
      throw new Error('cut off');
    });
    await stopped.catch(() => undefined);
  }
  expect(guard.states()).toEqual({ open: 0, half_open: 0, closed: 1 });
});

test('keys are forgotten by age, but none that is open or in use', async () => {
  const guard = createCallGuard({ ...SENSITIVE, openMs: 3_600_000, maxOpenMs: 3_600_000, maxKeys: 3 });
  await breakOpen(guard, 'open');
  for (let key = 0; key < 10; key++) await guard.run(`k${key}`, calm(), async () => key);
  expect(guard.states()).toEqual({ open: 1, half_open: 0, closed: 2 });
});
