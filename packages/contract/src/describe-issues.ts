import type { ValidationIssue } from './errors.ts';
import type { z } from 'zod';

const MAX_ISSUES = 50;

/** The issues that a schema found in `given`, each with its path: 50 at most. */
export function describeIssues(error: z.ZodError, given: unknown): ValidationIssue[] {
  return error.issues
    .flatMap((issue) => explain(issue, given))
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => ({ path: path.join('.'), message }));
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

interface Mistake {
  path: Path;
  message: string;
  kind: 'missing' | 'unknown field' | 'other';
  /** The allowed values, where the value is not one of them. */
  expected?: readonly string[];
}

/** `given` is the value that the issue's path starts from. */
function explain(issue: Issue, given: unknown): Mistake[] {
  const { path } = issue;
  const parent = valueAt(given, path.slice(0, -1));
  // A value that was parsed from text has no paths inside.
  const isMissing = valueAt(given, path) === undefined && typeof parent !== 'string';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: 'is not a known field',
      kind: 'unknown field',
    }));
  }
  if (issue.code === 'invalid_type')
    return [expecting(path, [NOUNS[issue.expected] ?? issue.expected], isMissing)];
  if (issue.code === 'invalid_value') return [expecting(path, issue.values.map(literal), isMissing)];
  if (issue.code === 'invalid_union') {
    if (issue.errors.length === 0) return [expecting(path, optionsOf(issue), isMissing)];
    const value = valueAt(given, path);
    const alternatives = issue.errors.map((errors) => errors.flatMap((error) => explain(error, value)));
    return nearest(alternatives, value).map((mistake) => ({ ...mistake, path: [...path, ...mistake.path] }));
  }
  const message = issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined;
  return [{ path, message: message ?? issue.message, kind: isMissing ? 'missing' : 'other' }];
}

/** The issues of the alternative that the value is nearest to, or of several that are equally near. */
function nearest(alternatives: readonly Mistake[][], value: unknown): Mistake[] {
  const ofThisType = alternatives.filter((mistakes) => !mistakes.some(isOfWholeValue));
  if (ofThisType.length === 0) {
    const expected = alternatives
      .flat()
      .filter(isOfWholeValue)
      .flatMap((mistake) => mistake.expected ?? []);
    return [expecting([], expected, value === undefined)];
  }
  const least = Math.min(...ofThisType.map(distance));
  const best = ofThisType.filter((mistakes) => distance(mistakes) === least);
  const [first = []] = best;
  if (best.length === 1) return first;
  const all = best.flat();
  const missing = all.filter(({ kind }) => kind === 'missing');
  const names = unique(missing.map(({ path }) => `\`${path.join('.')}\``));
  const others = first
    .filter(({ kind }) => kind !== 'missing')
    .map((mistake) => (mistake.expected === undefined ? mistake : merged(mistake, all)));
  if (names.length < 2) return [...missing.slice(0, 1), ...others];
  return [{ path: [], message: `needs ${either(names)}`, kind: 'missing' }, ...others];
}

const isOfWholeValue = ({ path, expected }: Mistake): boolean => path.length === 0 && expected !== undefined;

/** An unknown field is the clearest sign that the alternative was not meant. */
function distance(mistakes: readonly Mistake[]): number {
  const weights = { 'unknown field': 1_000, other: 10, missing: 1 };
  return mistakes.reduce((sum, { kind }) => sum + weights[kind], 0);
}

/** With the values that any of the alternatives allows at this path. */
function merged({ path }: Mistake, all: readonly Mistake[]): Mistake {
  const here = all.filter((mistake) => mistake.path.join('.') === path.join('.'));
  return expecting(
    path,
    here.flatMap(({ expected = [] }) => expected),
    false,
  );
}

function expecting(path: Path, expected: readonly string[], isMissing: boolean): Mistake {
  const what = unique(expected);
  const must = `must be ${either(what)}`;
  const message = isMissing ? `is missing: it ${must}` : must;
  return { path, message, kind: isMissing ? 'missing' : 'other', expected: what };
}

const NOUNS: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

function literal(value: z.core.util.Primitive): string {
  return typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'undefined');
}

function optionsOf(issue: Extract<Issue, { code: 'invalid_union' }>): string[] {
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
  return options.map(literal);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

const unique = (texts: readonly string[]): string[] => [...new Set(texts)];

/** `a`, `b` or `c`. */
const LIST = new Intl.ListFormat('en-GB', { type: 'disjunction' });
const either = (texts: readonly string[]): string => LIST.format(texts);
