/**
 * Reuses the result of `read` for `keepMs` milliseconds, for example for two gauges of one scrape. A failure is reused
 * for as long, so that a failing dependency does not get more requests than a working one.
 */
export function rememberRead<Value>(read: () => Promise<Value>, keepMs: number): () => Promise<Value> {
  let last: { at: number; value: Promise<Value> } | null = null;
  return () => {
    const now = performance.now();
    if (last === null || now - last.at >= keepMs) last = { at: now, value: read() };
    return last.value;
  };
}
