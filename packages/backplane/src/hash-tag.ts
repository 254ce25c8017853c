/** One hash tag that is not empty, or no brace at all. */
export const PREFIX_SHAPE = /^(?:[^{}]+|[^{}]*\{[^{}]+\}[^{}]*)$/;

/**
 * The prefix with a hash tag: the braces make a Redis Cluster keep all keys in one slot. A prefix that has them stays
 * as it is. Also on a single Redis, since what looks like one may be a proxy before several.
 */
export const hashTagged = (prefix: string): string => (prefix.includes('{') ? prefix : `{${prefix}}`);
