import { expect, test } from '@jest/globals';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { LiveSender, type LiveMessage, type LivePace, type SendLive } from './live-sender.ts';

const EAGER: LivePace = { batch: 100, pausePerMessageMs: 0, leastPauseMs: 0, mostPauseMs: 0 };
const about = { sessionId: 'sess_1', turnId: 'turn_1' };
const piece = (text: string) => ({ ...about, stepIndex: 0, attempt: 1, text });

/** A server that responds when the test says so. */
class ServerInMind {
  readonly batches: (readonly LiveMessage[])[] = [];
  heard = 1;
  #respond: ((heard: number[]) => void) | null = null;
  #fail: ((error: Error) => void) | null = null;

  readonly send: SendLive = (messages) => {
    this.batches.push(messages);
    return new Promise((resolve, reject) => {
      this.#respond = () => resolve(messages.map(() => this.heard));
      this.#fail = reject;
    });
  };
  answer(): void {
    this.#respond?.([]);
  }
  fail(): void {
    this.#fail?.(new Error('The server is away.'));
  }
  texts(): (string | undefined)[][] {
    return this.batches.map((batch) => batch.map(({ update }) => update.text?.text));
  }
}

test('one round trip is in progress at a time, and pieces that come meanwhile are joined', async () => {
  const server = new ServerInMind();
  const sender = new LiveSender(server.send, EAGER, () => undefined);
  sender.show(piece('a'));
  await untilTrue('the first left', () => server.batches.length === 1);
  for (const text of ['b', 'c', 'd']) sender.show(piece(text));
  sender.show({ sessionId: 'sess_2', turnId: 'turn_2', stepIndex: 0, attempt: 1, text: 'x' });
  await new Promise(setImmediate);
  expect(server.texts()).toEqual([['a']]);
  server.answer();
  await untilTrue('the next left', () => server.batches.length === 2);
  expect(server.texts()).toEqual([['a'], ['bcd', 'x']]);
  sender.close();
});

test('with a slow server, unsent text stays within its limit, and the caller never waits', async () => {
  const server = new ServerInMind();
  const sender = new LiveSender(server.send, EAGER, () => undefined);
  for (let number = 0; number < 2_000; number++) sender.show(piece('x'.repeat(1_000)));
  let sent = 0;
  for (let count = 1; sent < 262_000; count++) {
    await untilTrue('the next left', () => server.batches.length === count);
    sent += server.batches.at(-1)?.[0]?.update.text?.text.length ?? 0;
    server.answer();
  }
  sender.changed({ ...about, eventCount: null });
  await untilTrue('the new event was sent', () => server.batches.at(-1)?.[0]?.update.eventCount === null);
  expect(server.batches.at(-1)?.[0]?.update.text).toBeUndefined();
  sender.close();
});

test('of a text that is too long, nothing is sent after the first gap', async () => {
  const server = new ServerInMind();
  const sender = new LiveSender(server.send, EAGER, () => undefined);
  sender.show(piece('x'.repeat(10_000)));
  sender.show(piece('y'.repeat(500_000)));
  sender.show(piece('z'));
  await untilTrue('the first left', () => server.batches.length === 1);
  sender.changed({ ...about, eventCount: null });
  server.answer();
  await untilTrue('the new event was sent', () => server.batches.length === 2);
  expect(server.texts()).toEqual([['x'.repeat(10_000)], [undefined]]);
  sender.close();
});

test('a text that could not be sent is sent again from its start', async () => {
  const server = new ServerInMind();
  const errors: unknown[] = [];
  const sender = new LiveSender(server.send, EAGER, (error) => errors.push(error));
  sender.show(piece('a'));
  await untilTrue('the first left', () => server.batches.length === 1);
  server.answer();
  sender.show(piece('b'));
  await untilTrue('the second left', () => server.batches.length === 2);
  sender.show(piece('c'));
  server.fail();
  await untilTrue('it is sent again', () => server.batches.length === 3);
  expect(server.batches[2]?.[0]?.update.text).toMatchObject({ offset: 0, text: 'abc' });
  expect(errors).toHaveLength(1);
  sender.close();
});

test('text without a watcher is sent seldom, new events at once', async () => {
  const server = new ServerInMind();
  server.heard = 0;
  const sender = new LiveSender(server.send, EAGER, () => undefined);
  sender.show(piece('a'));
  await untilTrue('the first left', () => server.batches.length === 1);
  const began = performance.now();
  server.answer();
  await new Promise(setImmediate);
  sender.show(piece('b'));
  sender.changed({ ...about, eventCount: 1 });
  await untilTrue('the new event was sent', () => server.batches.length === 2);
  expect(server.batches[1]?.[0]?.update).toEqual({ turnId: 'turn_1', eventCount: 1 });
  server.answer();
  await untilTrue('the text left', () => server.batches.length === 3);
  expect(performance.now() - began).toBeGreaterThan(200);
  expect(server.texts()[2]).toEqual(['b']);
  sender.close();
});

test('no piece ends between the halves of a surrogate pair', async () => {
  const server = new ServerInMind();
  const sender = new LiveSender(server.send, EAGER, () => undefined);
  const whole = `x${'😀'.repeat(20_000)}`;
  sender.show(piece(whole));
  let shown = '';
  for (let count = 1; shown.length < whole.length; count++) {
    await untilTrue('the next left', () => server.batches.length === count);
    const { offset, text } = server.batches.at(-1)?.[0]?.update.text ?? { offset: -1, text: '' };
    expect(offset).toBe(shown.length);
    expect(/[\uD800-\uDFFF]/u.test(text)).toBe(false);
    shown += text;
    server.answer();
  }
  expect(shown).toBe(whole);
  sender.close();
});

test('nothing is sent of a session that nobody watches, and what it missed once somebody does', async () => {
  const server = new ServerInMind();
  const watched = new Set<string>();
  const sender = new LiveSender(
    server.send,
    EAGER,
    () => undefined,
    (sessionId) => watched.has(sessionId),
  );
  const other = { sessionId: 'sess_2', turnId: 'turn_2' };
  sender.changed({ ...about, eventCount: 1 });
  sender.changed({ ...other, eventCount: 7 });
  sender.show(piece('Hel'));
  sender.show(piece('lo'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.batches).toEqual([]);
  watched.add('sess_1');
  sender.watched('sess_1');
  await untilTrue('it is sent', () => server.batches.length === 1);
  expect(server.batches[0]).toEqual([
    {
      sessionId: 'sess_1',
      update: {
        turnId: 'turn_1',
        eventCount: 1,
        text: { stepIndex: 0, attempt: 1, offset: 0, text: 'Hello' },
      },
    },
  ]);
  sender.close();
});

test('a text whose last watcher has left is sent from its start to the next one', async () => {
  const server = new ServerInMind();
  let isWatched = true;
  const sender = new LiveSender(
    server.send,
    EAGER,
    () => undefined,
    () => isWatched,
  );
  sender.show(piece('a'));
  await untilTrue('the first left', () => server.batches.length === 1);
  server.answer();
  isWatched = false;
  sender.show(piece('b'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.texts()).toEqual([['a']]);
  isWatched = true;
  sender.watched('sess_1');
  await untilTrue('the next left', () => server.batches.length === 2);
  expect(server.texts()).toEqual([['a'], ['ab']]);
  sender.close();
});
