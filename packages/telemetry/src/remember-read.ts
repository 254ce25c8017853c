/**
 * Makes one read of what is asked for again within `keepMs`, such as by two gauges of one scrape. A read that
 * failed is not made again sooner either: what is down is not to be asked more often than what is well.
 */
export function rememberRead<Value>(read: () => Promise<Value>, keepMs: number): () => Promise<Value> {
  let last: { at: number; value: Promise<Value> } | null = null;
  return () => {
    const now = performance.now();
    if (last === null || now - last.at >= keepMs) last = { at: now, value: read() };
    return last.value;
  };
}
