/** The seconds of `Prefer: wait=30` (RFC 7240), `mostSeconds` at most; undefined where it has no such preference. */
export function preferredWait(prefer: string | undefined, mostSeconds: number): number | undefined {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(prefer ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), mostSeconds);
}
