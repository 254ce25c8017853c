/**
 * A path with encoded parameters. Throws `TypeError` for a parameter that would change the path: URL parsers remove
 * empty segments, `.` and `..`.
 */
export function path(parts: TemplateStringsArray, ...parameters: readonly string[]): string {
  return parts.reduce((left, right, index) => {
    const parameter = String(parameters[index - 1]);
    if (/^\.{0,2}$/.test(parameter)) throw new TypeError(`"${parameter}" is not a valid id or name.`);
    return left + encodeURIComponent(parameter) + right;
  });
}

export type Query = Readonly<
  Record<string, string | number | readonly string[] | Readonly<Record<string, string>> | undefined>
>;

/** Omits undefined values. A list becomes one parameter with commas, an object one parameter per entry. */
export function encodeQuery(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value !== 'object' || isList(value)) search.set(name, String(value));
    else for (const [key, inner] of Object.entries(value)) search.set(`${name}[${key}]`, inner);
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}

const INVALID_BASE_URL =
  'baseUrl must be an http or https address, or a path such as /api, without a query and without a user.';
/** Placeholder for the page's origin if there is none. */
const PLACEHOLDER_ORIGIN = 'http://own.invalid';

/**
 * Returns the base URL without a trailing slash. A path is resolved against the page's origin. Outside a page it stays
 * a path, which only the caller's own `fetch` can resolve. Throws `TypeError` for an invalid base URL.
 */
export function parseBaseUrl(text: string, hasOwnFetch: boolean): string {
  const isPath = text.startsWith('/');
  const page = isPath ? originOfPage() : null;
  const base = isPath ? (page ?? PLACEHOLDER_ORIGIN) : undefined;
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  const isAddress = url !== null && /^https?:$/.test(url.protocol);
  if (!isAddress || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new TypeError(INVALID_BASE_URL);
  // `//elsewhere` only looks like a path: the key would be sent to another origin.
  if (base !== undefined && url.origin !== base) throw new TypeError(INVALID_BASE_URL);
  if (isPath && page === null) {
    if (!hasOwnFetch) {
      throw new TypeError('A baseUrl that is a path works only in a page, or with your own fetch.');
    }
    return withoutSlash(`/${url.pathname.replace(/^\/+/, '')}`);
  }
  return withoutSlash(url.href);
}

/** The origin of the page or web worker; null elsewhere. */
function originOfPage(): string | null {
  const origin = (globalThis as { location?: { origin?: unknown } }).location?.origin;
  return typeof origin === 'string' && /^https?:/.test(origin) ? origin : null;
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, '');
}
