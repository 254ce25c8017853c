import { inexactNumbers, parseForDisplay } from './exact-json.ts';

/** Maximum nesting depth of a call's input. */
const MAX_DEPTH = 100;

/** Why a call's input is invalid, in words for the model; null if it is valid. */
export function invalidInputReason(text: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'its input is not valid JSON';
  }
  if (!isJsonObject(value)) return 'its input is not a JSON object';
  const { depth, repeated } = scan(text);
  if (depth > MAX_DEPTH) return `its input is nested more than ${MAX_DEPTH} levels deep`;
  if (repeated !== null) return `its input has the name ${JSON.stringify(repeated.slice(0, 100))} twice`;
  return null;
}

/** The value of a text for display; undefined if it is not JSON, or is nested too deeply. */
export function displayValue(text: string): unknown {
  try {
    const value = parseForDisplay(text);
    return scan(text).depth > MAX_DEPTH ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Whether `JSON.parse` represents this text without loss. */
export function isExactInput(text: string): boolean {
  return invalidInputReason(text) === null && inexactNumbers(text).length === 0;
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const TOKEN = /("[^"\\]*(?:\\[^][^"\\]*)*")(\s*:)?|[{}[\]]/g;

/** The nesting depth of a JSON text, and a name that occurs twice in one object: parsers disagree on which value counts. */
function scan(text: string): { depth: number; repeated: string | null } {
  const open: Set<string>[] = [];
  let depth = 0;
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    if (string === undefined) {
      if (token === '{' || token === '[') depth = Math.max(depth, open.push(new Set()));
      else open.pop();
    } else if (colon !== undefined) {
      const name = String(JSON.parse(string));
      const names = open.at(-1);
      if (names?.has(name)) return { depth, repeated: name };
      names?.add(name);
    }
  }
  return { depth, repeated: null };
}
