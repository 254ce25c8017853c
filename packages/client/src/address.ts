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

export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** What is undefined is left out. */
export function encodeQuery(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/** Without the slash at its end. Throws `TypeError` for what is no address of a service. */
export function parseBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isAddress = url !== null && /^https?:$/.test(url.protocol);
  if (!isAddress || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new TypeError('baseUrl must be an http or https address, without a query and without a user.');
  }
  return url.href.replace(/\/+$/, '');
}
