/** True for a request that accepts JSON and no stream. `accept` is its header. */
export function takesNoStream(accept: string | undefined): boolean {
  return accept !== undefined && /json/i.test(accept) && !/text\/event-stream/i.test(accept);
}
