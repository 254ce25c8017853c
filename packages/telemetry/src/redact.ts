import { types } from 'node:util';
import { TurnpikeError } from '@turnpike/contract';
import { scrub } from './hidden-values.ts';

const MAX_DEPTH = 6;
const MAX_ENTRIES = 50;
const MAX_TEXT = 4_000;
/** Of all depths together: a small graph whose parts are shared unfolds to millions otherwise. */
const MAX_VALUES = 5_000;

const UNREADABLE = '[unreadable]';

/** Names of fields whose value is a secret whatever it looks like. */
const SECRET_NAME =
  /^(set-cookie|cookie|.*(signature|token)|.*(authorization|password|passwd|passphrase|secret|credential|(api|private|signing|encryption|master)[-_]?key|(access|auth)[-_]?token).*)$/i;

/** Where in the whole a value lies. */
interface Place {
  depth: number;
  above: ReadonlySet<object>;
  budget: { left: number };
}

/**
 * A value as it may be logged: no secret by name, by value or by shape; bounded in depth, width
 * and length; never throws, whatever it is handed.
 */
export function redact(value: unknown): unknown {
  return clean(value, { depth: 0, above: new Set(), budget: { left: MAX_VALUES } });
}

function clean(value: unknown, place: Place): unknown {
  if (typeof value === 'string') return cut(scrub(value));
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  try {
    return cleanStructure(value, place);
  } catch {
    return UNREADABLE;
  }
}

function cleanStructure(value: object, place: Place): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (place.above.has(value)) return '[circular]';
  if (place.depth >= MAX_DEPTH) return '[deeper]';
  const inside = { ...place, depth: place.depth + 1, above: new Set(place.above).add(value) };
  if (value instanceof Error || types.isNativeError(value)) return cleanError(value, inside);
  if (value instanceof Map) return cleanObject(Object.fromEntries(value), inside);
  if (value instanceof Set) return cleanList([...value], inside);
  if (Array.isArray(value)) return cleanList(value, inside);
  return 'toJSON' in value && typeof value.toJSON === 'function'
    ? clean(value.toJSON(), inside)
    : cleanObject(value, inside);
}

function cleanList(list: readonly unknown[], inside: Place): unknown[] {
  return affordable(list, inside).map((item) => clean(item, inside));
}

function cleanObject(value: object, inside: Place): unknown {
  const names = affordable(Object.keys(value), inside);
  return Object.fromEntries(
    names.map((name) => [
      cut(scrub(name)),
      SECRET_NAME.test(name) ? '[secret]' : cleanField(value, name, inside),
    ]),
  );
}

/** One field that cannot be read says nothing about the others. */
function cleanField(value: object, name: string, inside: Place): unknown {
  try {
    return clean(Reflect.get(value, name), inside);
  } catch {
    return UNREADABLE;
  }
}

function affordable<Item>(items: readonly Item[], { budget }: Place): readonly Item[] {
  const kept = items.slice(0, Math.min(MAX_ENTRIES, budget.left));
  budget.left -= kept.length;
  return kept;
}

/** Only what says what happened: other fields of an error may carry a request. */
function cleanError(error: Error, inside: Place): unknown {
  const field = (name: string): unknown => cleanField(error, name, inside);
  const cause = field('cause');
  return {
    name: field('name'),
    ...('code' in error ? { code: field('code') } : {}),
    message: field('message'),
    // Our own errors say all in their code and words; of others the way there is needed.
    ...(error instanceof TurnpikeError ? {} : { stack: field('stack') }),
    ...(cause === undefined ? {} : { cause }),
  };
}

function cut(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT)} [cut: ${MAX_TEXT} of ${text.length} characters]`;
}
