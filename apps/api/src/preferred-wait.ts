/** The seconds of `Prefer: wait=30` (RFC 7240), no more than `mostSeconds`; undefined where there is no such wish. */
export function preferredWait(prefer: string | undefined, mostSeconds: number): number | undefined {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(prefer ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), mostSeconds);
}
