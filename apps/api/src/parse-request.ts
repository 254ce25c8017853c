import { parse, type ParsedUrlQuery } from 'node:querystring';
import { describeIssues, ProblemError } from '@turnpike/contract';
import { z } from 'zod';
import { findUnstorable } from './check-json.ts';

import type { Route } from './route.ts';

/** Path parameters: `not_found` for what is not an id, or could not be one for it cannot be stored. */
export function parseParams(route: Route, given: unknown): Record<string, unknown> {
  const parsed = route.params.safeParse(given);
  if (!parsed.success || findUnstorable(parsed.data) !== null)
    throw new ProblemError('not_found', 'There is nothing at this path.');
  return parsed.data;
}

/** Query parameters, no others allowed: `invalid_request`, or `invalid_cursor` where only the cursor is invalid. */
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
    throw new ProblemError('invalid_cursor', 'The cursor is not from a list of this kind.', {
      issues,
    });
  }
  throw new ProblemError('invalid_request', 'The query is not valid.', { issues });
}

/**
 * The parameters of a query string, each a text or, where it is repeated, a list. Throws `invalid_request` for what is
 * not percent-encoded UTF-8.
 */
export function readQuery(text: string): ParsedUrlQuery {
  try {
    // The parser replaces what it cannot decode by U+FFFD.
    decodeURIComponent(text);
  } catch {
    throw new ProblemError('invalid_request', 'The query is not percent-encoded UTF-8.');
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

/** Created once for each route: to create a schema costs more than to use it. */
const strictQueries = new WeakMap<Route, z.ZodObject>();

function strictQuery(route: Route): z.ZodObject {
  const known = strictQueries.get(route);
  if (known !== undefined) return known;
  const made = z.strictObject(route.query.shape);
  strictQueries.set(route, made);
  return made;
}

/** The body: `invalid_request`, with its issues and their paths. */
export function parseBody(route: Route, given: unknown): unknown {
  if (route.body === undefined) {
    // Many clients send an empty object with a POST that has no body.
    const isNothing = given === undefined || (route.method === 'post' && JSON.stringify(given) === '{}');
    if (!isNothing) throw new ProblemError('invalid_request', 'This operation has no body.');
    return undefined;
  }
  if (given === undefined) throw new ProblemError('invalid_request', 'A JSON body is required.');
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
