import { idBoundary, type IdKind, type Metadata } from '@turnpike/contract';
import { json } from './sql.ts';

/** Filters a list by the time at which rows were made. */
export interface TimeRange {
  /** Not before. */
  createdAfter?: Date | undefined;
  /** Before. */
  createdBefore?: Date | undefined;
}

export interface ListPage {
  /** The id of the last one seen. */
  cursor: string | null;
  limit: number;
}

/**
 * An id has the time of a process's clock, a row that of the database's: the largest difference that is
 * tolerated.
 */
const MOST_SKEW_MS = 60 * 60 * 1000;
const LAST_MS = 2 ** 48 - 1;

/**
 * Parameters $2 to $6 of a list by id, newest first, with `inRange`. Ids sort by time, so they bound what is
 * read; the exact times filter what is read.
 */
export function rangeValues(
  kind: IdKind,
  page: ListPage,
  { createdAfter, createdBefore }: TimeRange,
): unknown[] {
  const after = idBoundary(kind, Math.max(0, (createdAfter?.getTime() ?? 0) - MOST_SKEW_MS));
  const end = idBoundary(kind, Math.min(LAST_MS, (createdBefore?.getTime() ?? LAST_MS) + MOST_SKEW_MS));
  const before = page.cursor !== null && page.cursor < end ? page.cursor : end;
  return [before, after, createdAfter ?? null, createdBefore ?? null, page.limit];
}

/** The condition for `table` with the parameters of `rangeValues`; $1 is the tenant, and $6 the limit. */
export function inRange(table: string, id = `${table}.id`): string {
  return `${id} < $2 AND ${id} >= $3
  AND ($4::timestamptz IS NULL OR ${table}.created_at >= $4) AND ($5::timestamptz IS NULL OR ${table}.created_at < $5)`;
}

/** The entry to look up by its index, and all entries as JSON. Null if no metadata is asked for. */
export function labelValues(
  metadata: Metadata | undefined,
): [key: string, value: string, all: string] | null {
  const [first] = Object.entries(metadata ?? {});
  return first === undefined ? null : [...first, json(metadata)];
}
