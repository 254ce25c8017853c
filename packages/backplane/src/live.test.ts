import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { untilTrue } from '../../../tests/support/until-true.ts';
import type { Backplane } from './backplane.ts';
import type { LiveUpdate } from './live.ts';
import { testDriver, type TestDriver } from './testing/test-driver.ts';

const SERVERS = { redis: process.env['TEST_REDIS_URL'], postgres: process.env['TEST_DATABASE_URL'] };
const SESSION = 'sess_1';
const about = { sessionId: SESSION, turnId: 'turn_1' };

/** The text of the newest attempt, assembled from its pieces by their offsets. */
function textOf(updates: readonly LiveUpdate[]): string {
  let text = '';
  const pieces = updates.flatMap(({ text: piece }) => piece ?? []);
  for (const piece of pieces.toSorted((one, other) => one.offset - other.offset)) {
    if (piece.offset > text.length) return text;
    text = text.slice(0, piece.offset) + piece.text;
  }
  return text;
}

describe.each(Object.entries(SERVERS))('Live updates over %s', (name, url) => {
  if (url === undefined) {
    it.skip(`is not tried, since this machine has no ${name} for tests`, () => undefined);
    return;
  }
  let driver: TestDriver;
  let worker: Backplane;
  let api: Backplane;
  beforeEach(async () => {
    driver = testDriver(url);
    [worker, api] = [await driver.open(), await driver.open()];
  });
  afterEach(() => driver.clear());

  it('reach a watcher of the session in another process, and no other watcher', async () => {
    const [heard, elsewhere]: [LiveUpdate[], LiveUpdate[]] = [[], []];
    const unwatch = await api.live.watch(SESSION, (update) => heard.push(update));
    await api.live.watch('sess_2', (update) => elsewhere.push(update));
    worker.live.changed({ ...about, eventCount: 3 });
    for (const text of ['a', 'b\0', '\ud83d', '\ude00', 'ö\n']) {
      worker.live.show({ ...about, stepIndex: 0, attempt: 3, text });
    }
    await untilTrue('the text is there', () => textOf(heard) === 'ab\0😀ö\n');
    expect(heard[0]).toMatchObject({ turnId: 'turn_1', eventCount: 3 });
    expect(elsewhere).toEqual([]);
    await unwatch();
    worker.live.changed({ ...about, eventCount: 4 });
    worker.live.changed({ sessionId: 'sess_2', turnId: 'turn_2', eventCount: null });
    await untilTrue('others still hear', () => elsewhere.length === 1);
    expect(heard.at(-1)?.eventCount).not.toBe(4);
  });

  it('keep the text of the newest attempt for watchers that come late', async () => {
    expect(await api.live.kept(SESSION)).toEqual([]);
    worker.live.show({ ...about, stepIndex: 0, attempt: 3, text: 'void' });
    await untilTrue('it is kept', async () => textOf(await api.live.kept(SESSION)) === 'void');
    worker.live.show({ ...about, stepIndex: 0, attempt: 5, text: 'Hello' });
    await untilTrue('it is kept', async () => textOf(await api.live.kept(SESSION)) === 'Hello');
    worker.live.show({ ...about, stepIndex: 0, attempt: 5, text: ', you' });
    await untilTrue('all is kept', async () => textOf(await api.live.kept(SESSION)) === 'Hello, you');
    expect((await api.live.kept(SESSION)).map(({ text }) => text?.attempt)).toEqual([5, 5]);
  });

  it('begin with all text of the step for a watcher that comes in the middle, and with the change before it', async () => {
    worker.live.changed({ ...about, eventCount: 3 });
    worker.live.show({ ...about, stepIndex: 0, attempt: 3, text: 'Hel' });
    const heard: LiveUpdate[] = [];
    await api.live.watch(SESSION, (update) => heard.push(update));
    worker.live.show({ ...about, stepIndex: 0, attempt: 3, text: 'lo' });
    await untilTrue('the text is there', () => textOf(heard) === 'Hello');
    expect(heard.find(({ eventCount }) => eventCount !== undefined)?.eventCount).toBe(3);
  });

  it('reach a watcher from a process that started after it', async () => {
    const heard: LiveUpdate[] = [];
    await api.live.watch(SESSION, (update) => heard.push(update));
    const late = await driver.open();
    late.live.show({ ...about, stepIndex: 0, attempt: 3, text: 'Hello' });
    await untilTrue('the text is there', () => textOf(heard) === 'Hello');
  });

  it('contain no text of an ended step or of an older attempt', async () => {
    const heard: LiveUpdate[] = [];
    await api.live.watch(SESSION, (update) => heard.push(update));
    worker.live.show({ ...about, stepIndex: 0, attempt: 3, text: 'never seen' });
    worker.live.changed({ ...about, eventCount: 4 });
    worker.live.show({ ...about, stepIndex: 1, attempt: 4, text: 'seen' });
    worker.live.show({ ...about, stepIndex: 0, attempt: 3, text: 'late' });
    await untilTrue('the text is there', () => textOf(heard) === 'seen');
    expect(heard.map(({ text }) => text?.text)).toEqual(['seen']);
  });

  it('join pieces that come during a round trip: many pieces make few messages, and none is lost', async () => {
    const heard: LiveUpdate[] = [];
    await api.live.watch(SESSION, (update) => heard.push(update));
    const pieces = Array.from({ length: 20_000 }, (_, index) => `${index} `);
    for (const text of pieces) worker.live.show({ ...about, stepIndex: 0, attempt: 1, text });
    await untilTrue('all is there', () => textOf(heard) === pieces.join(''));
    expect(heard.length).toBeLessThan(100);
  });
});
