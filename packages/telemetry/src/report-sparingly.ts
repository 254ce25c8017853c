import type { LogFields } from './logger.ts';

/** What a report goes to: `suppressed` are those of its kind that were left out since the last one that was told. */
type Tell = (message: string, fields: LogFields & { error: unknown; suppressed?: number }) => void;

/** Reports an error of a message, with the fields of this very one. False where it is only counted. */
export type Report = (message: string) => (error: unknown, fields?: LogFields) => boolean;

const WINDOW_MS = 10_000;
const MOST_KINDS = 200;

interface Window {
  suppressed: number;
  last: LogFields & { error: unknown };
}

/**
 * Reports of what goes wrong again and again while a dependency is away: the first of a kind is told at once, those
 * that follow in `windowMs` are counted, and told as one with `suppressed`. A kind is the message and the error's
 * code and text, whatever numbers and ids are in it.
 */
export function reportSparingly(tell: Tell, windowMs = WINDOW_MS): Report {
  const open = new Map<string, Window>();
  const begin = (kind: string, message: string, last: Window['last']): void => {
    const window: Window = { suppressed: 0, last };
    open.set(kind, window);
    setTimeout(() => {
      open.delete(kind);
      if (window.suppressed === 0) return;
      tell(message, { ...window.last, suppressed: window.suppressed });
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
        tell(message, last);
        begin(kind, message, last);
      } else {
        window.suppressed += 1;
        window.last = last;
      }
      return window === undefined;
    };
}

const MOST_CAUSES = 4;

/** Of the error and of what caused it, without what differs each time. */
function describeKind(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error;
  const code = 'code' in error ? String(error.code) : error.name;
  const text = error.message.replaceAll(/[\w-]*\d[\w-]*/g, '#').slice(0, 200);
  const isWhole = error.cause === undefined || depth === MOST_CAUSES;
  return `${code} ${text}${isWhole ? '' : ` < ${describeKind(error.cause, depth + 1)}`}`;
}
