import { parse, type ParsedUrlQuery } from 'node:querystring';
import { ProblemError } from '@turnpike/contract';
import { z } from 'zod';
import { findUnstorable } from './check-json.ts';
import { describeIssues } from './describe-issues.ts';
import type { Route } from './route.ts';

/** Path parameters. An id that cannot be one names nothing that is there: `not_found`. */
export function parseParams(route: Route, given: unknown): Record<string, unknown> {
  const parsed = route.params.safeParse(given);
  if (!parsed.success) throw new ProblemError('not_found', 'There is nothing at this address.');
  return parsed.data;
}

/** Query parameters, strictly: `invalid_request`, or `invalid_cursor` where only the cursor is wrong. */
export function parseQuery(route: Route, sent: Record<string, unknown>): Record<string, unknown> {
  const given = 'metadata' in route.query.shape ? gatherMetadata(sent) : sent;
  const parsed = strictQuery(route).safeParse(given);
  if (parsed.success) {
    const unstorable = findUnstorable(given);
    if (unstorable !== null)
      throw new ProblemError('invalid_request', 'The query is not valid.', { issues: [unstorable] });
    return parsed.data;
  }
  const issues = describeIssues(parsed.error, given);
  if (issues.every((issue) => issue.path === 'cursor')) {
    throw new ProblemError('invalid_cursor', 'The cursor is not one that a list of this kind gave.', {
      issues,
    });
  }
  throw new ProblemError('invalid_request', 'The query is not valid.', { issues });
}

/**
 * The parameters of a query as text gives them, each of them once or as a list. Throws `invalid_request` for what
 * is no UTF-8, percent-encoded.
 */
export function readQuery(text: string): ParsedUrlQuery {
  try {
    // The parser puts U+FFFD in the place of what it cannot read.
    decodeURIComponent(text);
  } catch {
    throw new ProblemError('invalid_request', 'The query is not UTF-8 that is percent-encoded.');
  }
  return parse(text);
}

/** With `metadata[key]=value` as the entries of one object. */
function gatherMetadata(sent: Record<string, unknown>): Record<string, unknown> {
  const keyOf = (name: string): string | undefined => /^metadata\[(.*)\]$/s.exec(name)?.[1];
  const others = Object.entries(sent).filter(([name]) => keyOf(name) === undefined);
  const entries = Object.entries(sent).flatMap(([name, value]) => {
    const key = keyOf(name);
    return key === undefined ? [] : [[key, value] as const];
  });
  if (entries.length === 0) return sent;
  return Object.fromEntries([['metadata', Object.fromEntries(entries)], ...others]);
}

/** Made once for each route: to make a schema costs more than to use it. */
const strictQueries = new WeakMap<Route, z.ZodObject>();

function strictQuery(route: Route): z.ZodObject {
  const known = strictQueries.get(route);
  if (known !== undefined) return known;
  const made = z.strictObject(route.query.shape);
  strictQueries.set(route, made);
  return made;
}

/** The body: `invalid_request`, with every mistake and where it is. */
export function parseBody(route: Route, given: unknown): unknown {
  if (route.body === undefined) {
    // Many clients send an empty object with a POST that needs nothing.
    const isNothing = given === undefined || (route.method === 'post' && JSON.stringify(given) === '{}');
    if (!isNothing) throw new ProblemError('invalid_request', 'This operation takes no body.');
    return undefined;
  }
  if (given === undefined) throw new ProblemError('invalid_request', 'A JSON body is needed.');
  const unstorable = findUnstorable(given);
  if (unstorable !== null)
    throw new ProblemError('invalid_request', 'The body is not valid.', { issues: [unstorable] });
  const parsed = route.body.safeParse(given);
  if (!parsed.success) {
    throw new ProblemError('invalid_request', 'The body is not valid.', {
      issues: describeIssues(parsed.error, given),
    });
  }
  return parsed.data;
}
