import type { ToolConfig } from '@turnpike/contract';

export interface ComposedRequest {
  method: ToolConfig['method'];
  url: string;
  /** Exactly as it is sent and signed; empty where there is none. */
  body: string;
}

/** Longer ones are refused by common servers and proxies. */
const MAX_URL = 16_000;

/**
 * A call's request: its input as a JSON body, or, for GET and DELETE, as query parameters (what is no
 * scalar as JSON). A parameter that the tool's URL has already stays as it is there: it is not the
 * model's to choose. Null where the URL would be too long.
 */
export function composeRequest({ method, url }: ToolConfig, input: unknown): ComposedRequest | null {
  if (method !== 'GET' && method !== 'DELETE') return { method, url, body: JSON.stringify(input) };
  const target = new URL(url);
  const fixed = new Set(target.searchParams.keys());
  const given = typeof input === 'object' && input !== null ? Object.entries(input) : [];
  const added = given
    .filter(([name]) => !fixed.has(name))
    .map(([name, value]): [string, string] => [name, parameterOf(value)]);
  addToQuery(target, added);
  return target.href.length > MAX_URL ? null : { method, url: target.href, body: '' };
}

/** Adds parameters, and leaves those that are there written as they are. */
export function addToQuery(url: URL, parameters: [string, string][]): void {
  const added = new URLSearchParams(parameters).toString();
  url.search = [url.search.slice(1), added].filter((part) => part !== '').join('&');
}

function parameterOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
