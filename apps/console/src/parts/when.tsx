import { useSyncExternalStore, type ReactElement } from 'react';

const UNITS = [
  { unit: 'day', seconds: 86_400 },
  { unit: 'hour', seconds: 3_600 },
  { unit: 'minute', seconds: 60 },
  { unit: 'second', seconds: 1 },
] as const;
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
const TICK_MS = 5_000;

/** A time, as far away as it is; the exact one is shown on hover. */
export function When({ at }: { at: string | null | undefined }): ReactElement {
  const now = useNow();
  if (at === null || at === undefined) return <span className="muted">–</span>;
  const time = new Date(at);
  return (
    <time dateTime={at} title={`${time.toLocaleString()} (${at})`}>
      {describeDistance(time.getTime() - now)}
    </time>
  );
}

function describeDistance(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (Math.abs(seconds) < 3) return 'now';
  const found = UNITS.find((each) => Math.abs(seconds) >= each.seconds) ?? UNITS[3];
  return relative.format(Math.trunc(seconds / found.seconds), found.unit);
}

/** One clock for all times of a screen. */
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
