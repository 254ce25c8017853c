import { Worker } from 'node:worker_threads';
import type { Metrics } from '@turnpike/telemetry';
import { toolScope } from '../code/tool-scope.ts';

const TICK_MS = 50;
/** The name of the function that says whose code runs, for the thread that pauses this one. */
const GLOBAL = '__turnpikeToolScope';

/** What held the event loop. */
export interface HeldLoop {
  /** Null where no tool in code did. */
  tool: string | null;
  toolCallId: string | null;
  /** Where it was, the innermost function first. */
  at: string[];
}

export interface WatchSettings {
  ticks: SharedArrayBuffer;
  /** The loop counts as held after this time without a turn of it. Milliseconds. */
  holdMs: number;
  /** After this time the process is ended. Milliseconds. */
  endMs: number;
  /** On every log line. */
  fields: Record<string, unknown>;
  global: string;
}

/**
 * Starts the watchdog of the event loop: a thread that says which tool holds it, on standard output and as a metric,
 * and ends the process where its leases are long lost. Returns the function that stops it.
 */
export function watchLoop(
  metrics: Metrics,
  { leaseMs, fields }: { leaseMs: number; fields: Record<string, unknown> },
): () => Promise<void> {
  const ticks = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const view = new Int32Array(ticks);
  const timer = setInterval(() => Atomics.add(view, 0, 1), TICK_MS).unref();
  Object.defineProperty(globalThis, GLOBAL, {
    configurable: true,
    value: () => {
      const { tool, toolCallId } = toolScope() ?? {};
      return tool === undefined ? null : JSON.stringify({ tool, toolCallId });
    },
  });
  const settings: WatchSettings = {
    ticks,
    holdMs: Math.min(HOLD_MS, leaseMs / 3),
    endMs: Math.max(LEAST_END_MS, END_LEASES * leaseMs),
    fields,
    global: GLOBAL,
  };
  const holds = metrics.counter('turnpike_event_loop_holds_total');
  const thread = new Worker(new URL('watch.js', import.meta.url), {
    name: 'turnpike-watchdog',
    workerData: settings,
    execArgv: [],
  });
  thread.unref();
  thread.on('message', ({ tool }: HeldLoop) => holds.inc({ tool: tool ?? 'none' }));
  // Without it a worker works as well.
  thread.on('error', () => undefined);
  return async () => {
    clearInterval(timer);
    await thread.terminate();
  };
}

const HOLD_MS = 1_000;
const LEAST_END_MS = 60_000;
/** All leases are lost after one; the process has had another to come back. */
const END_LEASES = 2;
