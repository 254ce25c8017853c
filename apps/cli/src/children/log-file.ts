import { copyFileSync, readFileSync, statSync, truncateSync } from 'node:fs';

const MAX_BYTES = 20 * 1024 * 1024;
const TAIL_CHARACTERS = 4096;
const MAX_WORDS = 300;

/** The reason why a program ended, from the end of its log; truncated where it is long, empty where the log is. */
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
    // The log was deleted; that must not hide the failure that is being reported.
    return '';
  }
}

/** After its fatal error, Postgres logs that it is shut down. */
function fatalLine(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => /\b(?:FATAL|PANIC): /.test(line));
}

/** The message of an uncaught error, without its stack. */
function uncaughtError(lines: readonly string[]): string | undefined {
  const start = lines.findLastIndex((line) => /^(?:[A-Z]\w*)?Error(?: \[\w+\])?: /.test(line));
  const trace = lines.findIndex((line, index) => index > start && /^\s+at /.test(line));
  return start === -1 || trace === -1 ? undefined : lines.slice(start, trace).join(' ');
}

/**
 * Rotates a log that is too long, and keeps the previous one. The program appends to the same file, so the file is
 * copied and truncated.
 */
export function boundLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= MAX_BYTES) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}
