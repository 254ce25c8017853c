import { availableParallelism } from 'node:os';
import { expect, test } from '@jest/globals';
import { ToolThreads } from './threads.ts';

const isolation = { module: 'data:text/javascript,', memoryMb: 64 };
const most = Math.max(2, availableParallelism());

test.each(['before a thread is free', 'at the moment when one is'])(
  'a call that stops waiting %s keeps no other from its thread',
  async (when) => {
    const threads = new ToolThreads();
    const never = new AbortController();
    const held = await Promise.all(Array.from({ length: most }, () => threads.take(isolation, never.signal)));
    const stopping = new AbortController();
    const stopped = threads.take(isolation, stopping.signal);
    stopped.catch(() => undefined);
    const waits = threads.take(isolation, never.signal);
    if (when.startsWith('before')) stopping.abort(new Error('stopped'));
    const freed = held.slice(1).map((thread) => threads.giveBack(thread, false));
    stopping.abort(new Error('stopped'));
    await expect(stopped).rejects.toThrow('stopped');
    const thread = await waits;
    await Promise.all([
      ...freed,
      threads.giveBack(thread, false),
      ...held.slice(0, 1).map((one) => one.end()),
    ]);
    await threads.close();
  },
);
