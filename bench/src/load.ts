import type { Subject } from './subject.ts';
import { withWires, Wire } from './wire.ts';
import { percentile } from './statistics.ts';

/** Results of closed-loop clients: each sends its next request when it has the last response. */
export interface Load {
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

/** Submits for `ms` milliseconds with `clients` clients. */
export function loadSubmits(subject: Subject, clients: number, seconds: number): Promise<Load> {
  return withWires(
    clients,
    () => new Wire(subject.url),
    async (wires) => {
      const times: number[] = [];
      const began = performance.now();
      const end = began + seconds * 1_000;
      await Promise.all(
        wires.map(async (wire) => {
          while (performance.now() < end) {
            const asked = performance.now();
            await subject.submit(wire);
            times.push(performance.now() - asked);
          }
        }),
      );
      const perSecond = (times.length / (performance.now() - began)) * 1_000;
      return { perSecond, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
    },
  );
}

/** Submits `count` turns; resolves once all are accepted. */
export async function submitMany(subject: Subject, turns: number, clients = 32): Promise<void> {
  let left = turns;
  await withWires(
    clients,
    () => new Wire(subject.url),
    (wires) =>
      Promise.all(
        wires.map(async (wire) => {
          while (left-- > 0) await subject.submit(wire);
        }),
      ),
  );
}

/** Submits `count` turns with 64 clients, and waits until all have ended. Returns turns per second. */
export async function loadTurns(subject: Subject, turns: number): Promise<number> {
  const began = performance.now();
  await submitMany(subject, turns, 64);
  await untilNoneOpen(subject);
  return (turns / (performance.now() - began)) * 1_000;
}

const LOOK_EVERY_MS = 50;

export async function untilNoneOpen(subject: Subject): Promise<void> {
  while ((await subject.countOpen()) > 0) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Runs one turn after another: milliseconds from the submit to its end, as the client sees it. */
export function timeTurns(subject: Subject, turns: number): Promise<number[]> {
  return withWires(
    1,
    () => new Wire(subject.url),
    async ([wire]) => {
      const times: number[] = [];
      if (wire === undefined) return times;
      for (let turn = 0; turn < turns; turn++) {
        const asked = performance.now();
        await subject.untilDone(wire, await subject.submit(wire));
        times.push(performance.now() - asked);
      }
      return times;
    },
  );
}
