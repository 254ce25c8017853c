/** Calls every listener; one that throws is reported, and keeps none of the others from being called. */
export function callEach<Value>(
  listeners: Iterable<(value: Value) => void>,
  value: Value,
  onError: (error: unknown) => void,
): void {
  for (const listener of listeners) {
    try {
      listener(value);
    } catch (error) {
      onError(error);
    }
  }
}
