import { isJsonObject, parseExact, stringifyExact, type ToolCall, type ToolConfig } from '@turnpike/contract';

export interface ComposedRequest {
  method: ToolConfig['method'];
  url: string;
  /** Exactly as it is sent and signed; empty where there is none. */
  body: string;
}

/** Longer ones are refused by common servers and proxies. */
const MAX_URL = 16_000;

/**
 * A call's request: its input as a JSON body, as the model wrote it, or, for GET and DELETE, as query parameters
 * (objects and arrays as JSON). A parameter that the tool's URL has already cannot be changed by the model. Null
 * where the URL would be too long.
 */
export function composeRequest(
  { method, url }: ToolConfig,
  { input, inputText }: Pick<ToolCall, 'input' | 'inputText'>,
): ComposedRequest | null {
  const text = inputText ?? JSON.stringify(input);
  if (method !== 'GET' && method !== 'DELETE') return { method, url, body: text };
  const target = new URL(url);
  const fixed = new Set(target.searchParams.keys());
  const exact = parseExact(text);
  const given = isJsonObject(exact) ? Object.entries(exact) : [];
  const added = given
    .filter(([name]) => !fixed.has(name))
    .map(([name, value]): [string, string] => [name, parameterOf(value)]);
  addToQuery(target, added);
  return target.href.length > MAX_URL ? null : { method, url: target.href, body: '' };
}

/** Adds parameters, and leaves the existing ones as they are written. */
export function addToQuery(url: URL, parameters: [string, string][]): void {
  const added = new URLSearchParams(parameters).toString();
  url.search = [url.search.slice(1), added].filter((part) => part !== '').join('&');
}

function parameterOf(value: unknown): string {
  const text = stringifyExact(value);
  // A marked number is a string as well, but is not quoted in JSON.
  return typeof value === 'string' && text.startsWith('"') ? value : text;
}
