import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../say.ts';
import type { Child, ChildSettings } from './child.ts';
import type { Children } from './children.ts';
import type { Ending } from './ending.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A worker that ran for this long is restarted without a longer pause. */
const GOOD_LIFE_MS = 60_000;

/**
 * Starts a worker, and starts it again whenever it dies; other workers continue its turns. Resolves when it is ready;
 * rejects where it exits before that.
 */
export async function keepWorker(children: Children, settings: ChildSettings, ending: Ending): Promise<void> {
  const worker = children.start(settings);
  await worker.ready;
  replaceWhenDead(children, worker, ending).catch((error: unknown) => ending.fail(error));
}

async function replaceWhenDead(children: Children, first: Child, { signal }: Ending): Promise<void> {
  let worker = first;
  let startedAt = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const how = await worker.ended;
    if (signal.aborted) return;
    if (performance.now() - startedAt > GOOD_LIFE_MS) pauseMs = FIRST_PAUSE_MS;
    say(`${worker.describeEnd(how)} It is started again in ${pauseMs / 1000} s.`);
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    startedAt = performance.now();
    worker = children.start(worker.settings);
    if (await becomesReady(worker)) say(`${worker.settings.title} is back.`);
  }
}

function becomesReady(worker: Child): Promise<boolean> {
  return worker.ready.then(
    () => true,
    () => false,
  );
}
