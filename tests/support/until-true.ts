import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `check` holds; the limit only ends a test that would never end. */
export async function untilTrue(
  what: string,
  check: () => Promise<boolean> | boolean,
  limitMs = 240_000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`Waited in vain: ${what}.`);
    await delay(25);
  }
}
