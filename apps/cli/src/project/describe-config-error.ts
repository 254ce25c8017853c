import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const FRAME = /(?:\(|at )(file:\/\/[^)\s]+|\/[^)\s]+|[A-Za-z]:[^)\s]+):(\d+):(\d+)\)?$/;

/** An error in a project's code, with the first place in the project's files that its stack names. */
export function describeConfigError(error: unknown): string {
  if (!(error instanceof Error)) return `It threw ${String(error)}, which is not an error.`;
  const frames = (error.stack ?? '').split('\n').flatMap((line) => placeOf(line.trim()) ?? []);
  const place = frames.find((frame) => !frame.startsWith('..'));
  const message = error.message === '' ? error.name : error.message;
  // A syntax error says itself where it is.
  const isPlaced = /^\S+:\d+:\d+: /.test(message);
  return place === undefined || isPlaced ? message : `${place}: ${message}`;
}

/** `src/tools.ts:12:5` of a line of a stack; null for files of packages and of Node. */
function placeOf(line: string): string | null {
  const [, where, row, column] = FRAME.exec(line) ?? [];
  if (where === undefined || /[/\\]node_modules[/\\]|^node:/.test(where)) return null;
  const path = where.startsWith('file:') ? fileURLToPath(where) : where;
  return `${relative(process.cwd(), path)}:${row}:${column}`;
}
