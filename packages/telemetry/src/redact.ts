import { TurnpikeError } from '@turnpike/contract';
import { scrub } from './hidden-values.ts';

const MAX_DEPTH = 6;
const MAX_ENTRIES = 50;
const MAX_TEXT = 4_000;

/** Names of fields whose value is a secret whatever it looks like. */
const SECRET_NAME =
  /^(authorization|proxy-authorization|cookie|set-cookie|signature|.*(password|passwd|secret|api[-_]?key|private[-_]?key|credential|access[-_]?token|auth[-_]?token).*|token)$/i;

/**
 * A value as it may be logged: no secret by name, by value or by shape; bounded in depth, width
 * and length; never throws, whatever it is handed.
 */
export function redact(value: unknown): unknown {
  return clean(value, 0, new Set());
}

function clean(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return cut(scrub(value));
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  return typeof value === 'object' && value !== null ? cleanStructure(value, depth, above) : value;
}

function cleanStructure(value: object, depth: number, above: Set<object>): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (above.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[deeper]';
  const path = new Set(above).add(value);
  if (value instanceof Error) return cleanError(value, depth, path);
  if (value instanceof Map) return clean(Object.fromEntries(value), depth, path);
  if (value instanceof Set) return clean([...value], depth, path);
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => clean(item, depth + 1, path));
  return cleanObject(value, depth, path);
}

function cleanObject(value: object, depth: number, path: Set<object>): unknown {
  const shown: Record<string, unknown> = {};
  try {
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return clean(value.toJSON(), depth + 1, path);
    }
    for (const name of Object.keys(value).slice(0, MAX_ENTRIES)) {
      const isSecret = SECRET_NAME.test(name);
      shown[name] = isSecret ? '[secret]' : clean(Reflect.get(value, name), depth + 1, path);
    }
  } catch {
    shown['[unreadable]'] = true;
  }
  return shown;
}

/** Only what says what happened: other fields of an error may carry a request. */
function cleanError(error: Error, depth: number, path: Set<object>): unknown {
  const code = 'code' in error ? { code: clean(error.code, depth + 1, path) } : {};
  const cause = error.cause === undefined ? {} : { cause: clean(error.cause, depth + 1, path) };
  // Our own errors say all in their code and words; of others the way there is needed.
  const stack = error instanceof TurnpikeError ? {} : { stack: cut(scrub(error.stack ?? '')) };
  return { name: error.name, ...code, message: cut(scrub(error.message)), ...stack, ...cause };
}

function cut(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT)} [cut: ${MAX_TEXT} of ${text.length} characters]`;
}
