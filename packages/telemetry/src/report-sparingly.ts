import type { LogFields } from './logger.ts';

/** Writes a report. `suppressed`: the errors of its kind that were not written since the last report. */
type Write = (message: string, fields: LogFields & { error: unknown; suppressed?: number }) => void;

/** Returns a function that reports errors under `message`; it returns false where the error is only counted. */
export type Report = (message: string) => (error: unknown, fields?: LogFields) => boolean;

const WINDOW_MS = 10_000;
const MOST_KINDS = 200;

interface Window {
  suppressed: number;
  last: LogFields & { error: unknown };
}

/**
 * Limits reports of errors that repeat while a dependency is away: the first error of a kind is reported at once, later
 * ones within `windowMs` are counted and reported as one with `suppressed`. A kind is the message with the error's code
 * and text, without numbers and ids.
 */
export function reportSparingly(write: Write, windowMs = WINDOW_MS): Report {
  const open = new Map<string, Window>();
  const begin = (kind: string, message: string, last: Window['last']): void => {
    const window: Window = { suppressed: 0, last };
    open.set(kind, window);
    setTimeout(() => {
      open.delete(kind);
      if (window.suppressed === 0) return;
      write(message, { ...window.last, suppressed: window.suppressed });
      begin(kind, message, window.last);
    }, windowMs).unref();
  };
  return (message) =>
    (error, fields = {}) => {
      const named = `${message} ${describeKind(error)}`;
      const kind = open.has(named) || open.size < MOST_KINDS ? named : message;
      const window = open.get(kind);
      const last = { ...fields, error };
      if (window === undefined) {
        write(message, last);
        begin(kind, message, last);
      } else {
        window.suppressed += 1;
        window.last = last;
      }
      return window === undefined;
    };
}

const MOST_CAUSES = 4;

/** The error and its causes as text, without the parts that differ each time. */
function describeKind(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error;
  const code = 'code' in error ? String(error.code) : error.name;
  const text = error.message.replaceAll(/[\w-]*\d[\w-]*/g, '#').slice(0, 200);
  const isWhole = error.cause === undefined || depth === MOST_CAUSES;
  return `${code} ${text}${isWhole ? '' : ` < ${describeKind(error.cause, depth + 1)}`}`;
}
