/** Time from a nudge to its pass, so that one pass serves what comes together. Milliseconds. */
const NUDGED_MS = 100;

export interface Passes {
  /** A pass soon. Never throws. */
  nudge(): void;
  /** No further pass; resolves once the one under way has ended. */
  stop(): Promise<void>;
}

/**
 * Runs passes over the database one after another, `everyMs` apart with jitter, so that processes do not all run them at
 * once, and sooner after a nudge. A pass that throws is reported, and the next one continues.
 */
export function runPasses(parts: {
  /** `isNudged`: there was a nudge since the last pass began. Returns the milliseconds until the next one is due, if less. */
  pass: (isNudged: boolean) => Promise<number | void>;
  /** Null: only after a nudge. */
  everyMs: number | null;
  nudgedMs?: number;
  onError: (error: unknown) => void;
}): Passes {
  const { pass, everyMs, nudgedMs = NUDGED_MS, onError } = parts;
  let isStopped = false;
  let isRunning = false;
  let isNudged = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const run = async (): Promise<void> => {
    const wasNudged = isNudged;
    isRunning = true;
    isNudged = false;
    let dueMs: number | void = undefined;
    try {
      dueMs = await pass(wasNudged);
    } catch (error) {
      onError(error);
    }
    isRunning = false;
    schedule(dueMs ?? Infinity);
  };
  const schedule = (dueMs: number): void => {
    clearTimeout(timer);
    if (isStopped) return;
    const regularMs = everyMs === null ? Infinity : everyMs * (0.5 + Math.random());
    const waitMs = isNudged ? nudgedMs : Math.min(regularMs, dueMs);
    if (waitMs === Infinity) return;
    timer = setTimeout(() => {
      running = run();
    }, waitMs);
  };
  schedule(Infinity);
  return {
    nudge() {
      if (isNudged) return;
      isNudged = true;
      if (!isRunning) schedule(Infinity);
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
      return running;
    },
  };
}
