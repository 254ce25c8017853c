import { copyFileSync, readFileSync, statSync, truncateSync } from 'node:fs';

const MAX_BYTES = 20 * 1024 * 1024;
const TAIL_CHARACTERS = 4096;
const MAX_WORDS = 300;

/** What a program wrote last on why it ended, cut where it is long; empty where it wrote nothing. */
export function lastWords(path: string): string {
  const lines = readTail(path).trimEnd().split('\n');
  return (fatalLine(lines) ?? uncaughtError(lines) ?? lines.at(-1) ?? '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_WORDS);
}

function readTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-TAIL_CHARACTERS);
  } catch {
    // Somebody cleaned up; that is no reason to fail while something else already does.
    return '';
  }
}

/** Postgres says on the lines after it that it is down, too. */
function fatalLine(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => /\b(?:FATAL|PANIC): /.test(line));
}

/** An error that nobody caught: what it says, without where it was thrown. */
function uncaughtError(lines: readonly string[]): string | undefined {
  const start = lines.findLastIndex((line) => /^(?:[A-Z]\w*)?Error(?: \[\w+\])?: /.test(line));
  const trace = lines.findIndex((line, place) => place > start && /^\s+at /.test(line));
  return start === -1 || trace === -1 ? undefined : lines.slice(start, trace).join(' ');
}

/**
 * Starts a log anew when it has grown too long, and keeps the one before it. Its writer appends,
 * so it goes on at the new start.
 */
export function boundLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= MAX_BYTES) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}
