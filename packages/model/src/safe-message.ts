const MAX_LENGTH = 500;
const ID = /^[\w.:/=+-]{1,200}$/;

/** Looks like a credential: a bearer token, a key with a known prefix, a long run of random characters. */
const KEY_LIKE = /\bbearer\s+\S+|\b(?:sk|pk|rk|key|tok|whsec|ghp|xox[a-z])[-_][\w-]{8,}|[\w+/=-]{40,}/gi;

/** A message of the API that clients may see: one line, at most 500 characters, nothing that looks like a key. */
export function safeMessage(text: string): string {
  // Truncated before it is searched as well, so that a huge message costs nothing.
  const line = text
    .slice(0, 4 * MAX_LENGTH)
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(KEY_LIKE, '[secret]');
  return line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH - 1)}…`;
}

/** The API's id of a request; null for an invalid one, or one that contains a secret. */
export function safeRequestId(id: string | null, hide: (text: string) => string): string | null {
  return id !== null && ID.test(id) && hide(id) === id ? id : null;
}
