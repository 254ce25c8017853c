import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type Node } from 'yaml';
import { describeError } from '../failure.ts';
import type { Origin } from './definition.ts';

/** Aliases (`*name`) can make a small file large in memory. */
const MOST_ALIASES = 100;

/** What a YAML file says, or why it says nothing. */
export type ReadYaml = { value: unknown; origin: Origin } | { mistakes: string[] };

/** Parses a YAML text with one document. `file` is its name in messages. */
export function readYaml(file: string, text: string): ReadYaml {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  if (!Array.isArray(documents) || documents.length === 0) return { mistakes: [`${file}: is empty`] };
  const [document, second] = documents;
  if (document === undefined) return { mistakes: [`${file}: is empty`] };
  const errors = documents.flatMap((one) => one.errors);
  if (errors.length > 0) {
    return {
      mistakes: errors.map(({ pos, message }) => `${file}:${lines.linePos(pos[0]).line}: ${message}`),
    };
  }
  if (second !== undefined) {
    const line = lines.linePos(second.range?.[0] ?? 0).line;
    return { mistakes: [`${file}:${line}: a second document begins here; a file has one`] };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    return { value, origin: { file, lineOf: (path) => lineOf(document, path, lines) } };
  } catch (error) {
    return { mistakes: [`${file}: ${describeError(error)}`] };
  }
}

/** The line of the key that leads to this value, or of the nearest value around it. */
function lineOf(document: Document.Parsed, path: string, lines: LineCounter): number {
  let node: unknown = document.contents;
  let start = startOf(node);
  let rest = path === '' ? [] : path.split('.');
  while (rest.length > 0) {
    const step = stepInto(node, rest);
    if (step === null) break;
    ({ node, rest } = step);
    start = step.start ?? startOf(node) ?? start;
  }
  return lines.linePos(start ?? 0).line;
}

/** One step along the path. A key may contain a dot itself: the longest key that matches is taken. */
function stepInto(
  node: unknown,
  path: readonly string[],
): { node: unknown; rest: string[]; start: number | null } | null {
  if (isSeq(node)) {
    const item = node.items[Number(path[0])];
    return item === undefined ? null : { node: item, rest: path.slice(1), start: null };
  }
  if (!isMap(node)) return null;
  for (let length = path.length; length > 0; length--) {
    const key = path.slice(0, length).join('.');
    const pair = node.items.find((one) => isScalar(one.key) && String(one.key.value) === key);
    if (pair !== undefined) {
      return { node: pair.value, rest: path.slice(length), start: startOf(pair.key) };
    }
  }
  return null;
}

function startOf(node: unknown): number | null {
  return (node as Node | null)?.range?.[0] ?? null;
}
