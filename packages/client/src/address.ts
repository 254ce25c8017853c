/**
 * A path with its parameters encoded. Throws `TypeError` for one that would make it another path:
 * what is empty, `.` or `..` is removed from an address by whoever reads it.
 */
export function path(parts: TemplateStringsArray, ...parameters: readonly string[]): string {
  return parts.reduce((left, right, place) => {
    const parameter = String(parameters[place - 1]);
    if (/^\.{0,2}$/.test(parameter)) throw new TypeError(`"${parameter}" cannot be the name of anything.`);
    return left + encodeURIComponent(parameter) + right;
  });
}

export type Query = Readonly<
  Record<string, string | number | readonly string[] | Readonly<Record<string, string>> | undefined>
>;

/** What is undefined is left out; a list is one parameter with commas, and an object one for each of its entries. */
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

const WRONG =
  'baseUrl must be an http or https address, or a path such as /api, without a query and without a user.';
/** Stands for the page's own origin where that is not known. */
const OWN = 'http://own.invalid';

/**
 * Without the slash at its end. A path is of the page's own origin; outside of a page it stays a path, for a
 * `fetch` of the caller's that knows what to make of it. Throws `TypeError` for what is no address of a service.
 */
export function parseBaseUrl(text: string, hasOwnFetch: boolean): string {
  const isPath = text.startsWith('/');
  const page = isPath ? originOfPage() : null;
  const base = isPath ? (page ?? OWN) : undefined;
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  const isAddress = url !== null && /^https?:$/.test(url.protocol);
  if (!isAddress || url.search !== '' || url.hash !== '' || url.username !== '') throw new TypeError(WRONG);
  // `//elsewhere` is a path in looks alone: it would be told the key.
  if (base !== undefined && url.origin !== base) throw new TypeError(WRONG);
  if (isPath && page === null) {
    if (!hasOwnFetch) {
      throw new TypeError(
        'A baseUrl that is a path needs a page that it is on the origin of, or your own fetch.',
      );
    }
    return withoutSlash(`/${url.pathname.replace(/^\/+/, '')}`);
  }
  return withoutSlash(url.href);
}

/** Of a page or of a worker of one; null elsewhere. */
function originOfPage(): string | null {
  const origin = (globalThis as { location?: { origin?: unknown } }).location?.origin;
  return typeof origin === 'string' && /^https?:/.test(origin) ? origin : null;
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, '');
}
