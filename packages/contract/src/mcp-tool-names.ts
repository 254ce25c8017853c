import { createHash } from 'node:crypto';

const LONGEST = 64;
const HASH_CHARACTERS = 8;

/**
 * The name that the model is shown: `server__tool` where the Messages API accepts that and no other tool has it; else
 * a similar one that ends with a hash, so that it does not depend on the other tools of the list.
 */
export function shownName(server: string, tool: string, taken: ReadonlySet<string>): string {
  const plain = `${server}__${tool}`;
  if (/^[a-zA-Z0-9_-]+$/.test(plain) && plain.length <= LONGEST && !taken.has(plain)) return plain;
  const hash = createHash('sha256').update(`${server}\0${tool}`).digest('hex').slice(0, HASH_CHARACTERS);
  const readable = plain.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, LONGEST - HASH_CHARACTERS - 1);
  return `${readable}_${hash}`;
}

/** Whether a name may be one that `shownName` gave a tool of the server: another server `a__b` has names of `a` too. */
export function isOfServer(server: string, name: string): boolean {
  return name.startsWith(`${server}__`);
}
