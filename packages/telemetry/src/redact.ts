import { types } from 'node:util';
import { TurnpikeError } from '@turnpike/contract';
import { scrub } from './hidden-values.ts';

const MAX_DEPTH = 6;
const MAX_ENTRIES = 50;
const MAX_TEXT = 4_000;
/** In all: a small graph with shared parts would unfold to millions of values otherwise. */
const MAX_VALUES = 5_000;

const UNREADABLE = '[unreadable]';

/** Names of fields whose value is always hidden. */
const SECRET_NAME =
  /^(set-cookie|cookie|.*(signature|token)|.*(authorization|password|passwd|passphrase|secret|credential|(api|private|signing|encryption|master)[-_]?key|(access|auth)[-_]?token).*)$/i;

/** The position of a value in what is redacted. */
interface Position {
  depth: number;
  above: ReadonlySet<object>;
  budget: { left: number };
}

/**
 * A value as it may be logged: without secrets, which are known by name, value or shape, and bounded in depth, width
 * and length. Never throws.
 */
export function redact(value: unknown): unknown {
  return clean(value, { depth: 0, above: new Set(), budget: { left: MAX_VALUES } });
}

function clean(value: unknown, position: Position): unknown {
  if (typeof value === 'string') return truncate(scrub(value));
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  try {
    return cleanStructure(value, position);
  } catch {
    return UNREADABLE;
  }
}

function cleanStructure(value: object, position: Position): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (position.above.has(value)) return '[circular]';
  if (position.depth >= MAX_DEPTH) return '[deeper]';
  const inside = { ...position, depth: position.depth + 1, above: new Set(position.above).add(value) };
  if (value instanceof Error || types.isNativeError(value)) return cleanError(value, inside);
  if (value instanceof Map) return cleanObject(Object.fromEntries(value), inside);
  if (value instanceof Set) return cleanList([...value], inside);
  if (Array.isArray(value)) return cleanList(value, inside);
  return 'toJSON' in value && typeof value.toJSON === 'function'
    ? clean(value.toJSON(), inside)
    : cleanObject(value, inside);
}

function cleanList(list: readonly unknown[], inside: Position): unknown[] {
  return affordable(list, inside).map((item) => clean(item, inside));
}

function cleanObject(value: object, inside: Position): unknown {
  const names = affordable(Object.keys(value), inside);
  return Object.fromEntries(
    names.map((name) => [
      truncate(scrub(name)),
      isSecretName(name) ? '[secret]' : cleanField(value, name, inside),
    ]),
  );
}

/** Names are few, and the expression is slow. */
const secretNames = new Map<string, boolean>();
const MOST_NAMES = 1_000;
const LONGEST_NAME = 100;

function isSecretName(name: string): boolean {
  const known = secretNames.get(name);
  if (known !== undefined) return known;
  const isSecret = SECRET_NAME.test(name);
  if (name.length <= LONGEST_NAME && secretNames.size < MOST_NAMES) secretNames.set(name, isSecret);
  return isSecret;
}

/** A field that cannot be read does not affect the others. */
function cleanField(value: object, name: string, inside: Position): unknown {
  try {
    return clean(Reflect.get(value, name), inside);
  } catch {
    return UNREADABLE;
  }
}

function affordable<Item>(items: readonly Item[], { budget }: Position): readonly Item[] {
  const kept = items.slice(0, Math.min(MAX_ENTRIES, budget.left));
  budget.left -= kept.length;
  return kept;
}

/** Only fields that describe the error: others may contain a request. */
function cleanError(error: Error, inside: Position): unknown {
  const field = (name: string): unknown => cleanField(error, name, inside);
  const cause = field('cause');
  return {
    name: field('name'),
    ...('code' in error ? { code: field('code') } : {}),
    message: field('message'),
    // The code and message of our own errors are enough; other errors need their stack.
    ...(error instanceof TurnpikeError ? {} : { stack: field('stack') }),
    ...(cause === undefined ? {} : { cause }),
  };
}

function truncate(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT)} [truncated: ${MAX_TEXT} of ${text.length} characters]`;
}
