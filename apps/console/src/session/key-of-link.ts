/** The key of a link that signs in (`#key=...`). It is removed from the address at once, and from the history. */
export function takeKeyOfLink(): string | null {
  const { hash, pathname, search } = window.location;
  if (!hash.startsWith('#key=')) return null;
  window.history.replaceState(null, '', pathname + search);
  // No key has other characters: what has them is none, and may be no header either.
  return /^#key=(\w+)$/.exec(hash)?.[1] ?? null;
}
