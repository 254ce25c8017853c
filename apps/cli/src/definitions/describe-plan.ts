import { inspect } from 'node:util';
import type { Change } from './find-changes.ts';
import type { Planned } from './plan-changes.ts';

const MOST_CHARACTERS = 400;
const MOST_LINES = 60;

/** What would change, line by line; empty where nothing would. */
export function describePlan(planned: readonly Planned[]): string[] {
  return planned.filter(isChange).flatMap((one) => [titleOf(one), ...one.changes.flatMap(describeChange)]);
}

export const isChange = ({ existing, changes }: Planned): boolean => existing === null || changes.length > 0;

function titleOf(one: Planned): string {
  const { definition, existing } = one;
  const { kind, name, origin } = definition;
  const version = existing !== null && 'version' in existing ? `, version ${existing.version}` : '';
  const what = existing === null ? 'new' : `${existing.id}${version}`;
  return `${existing === null ? '+' : '~'} ${kind} ${visible(name)} (${origin.file}): ${what}`;
}

function describeChange({ field, before, after }: Change): string[] {
  if (isLong(before) || isLong(after)) return [`    ${field}:`, ...describeLines(before, after)];
  if (before === undefined) return [`    ${field}: ${show(after)}`];
  return [`    ${field}: ${show(before)} -> ${after === undefined ? '(default)' : show(after)}`];
}

const isLong = (value: unknown): boolean => typeof value === 'string' && value.includes('\n');

/** The lines that differ, between those that both texts begin and end with. */
function describeLines(before: unknown, after: unknown): string[] {
  const [one, other] = [linesOf(before), linesOf(after)];
  const most = Math.min(one.length, other.length);
  let start = 0;
  while (start < most && one[start] === other[start]) start++;
  let end = 0;
  while (end < most - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const removed = one.slice(start, one.length - end).map((line) => `      - ${visible(line)}`);
  const added = other.slice(start, other.length - end).map((line) => `      + ${visible(line)}`);
  return [...bounded(removed), ...bounded(added)];
}

function bounded(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES), `        and ${lines.length - MOST_LINES} more lines`];
}

function linesOf(value: unknown): string[] {
  if (value === undefined) return [];
  return (typeof value === 'string' ? value : show(value)).split('\n');
}

function show(value: unknown): string {
  const text = visible(JSON.stringify(value) ?? inspect(value));
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

/** Control characters that a model or a file wrote must not reach the terminal. */
function visible(text: string): string {
  return text.replaceAll(/(?!\t)\p{Cc}/gu, '\uFFFD');
}
