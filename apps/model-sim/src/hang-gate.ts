import type { ServerResponse } from 'node:http';

const MAX_HANG_MS = 3_600_000;

/** Where calls hang until they are released, for an hour at most, or until the client goes away. */
export class HangGate {
  readonly #waiting = new Set<() => void>();

  /** Runs `goOn` when the gate opens; never, if the client has gone away by then. */
  hang(response: ServerResponse, goOn: () => void): void {
    const leave = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(open);
      response.off('close', leave);
    };
    const open = (): void => {
      leave();
      goOn();
    };
    const timer = setTimeout(open, MAX_HANG_MS).unref();
    this.#waiting.add(open);
    response.once('close', leave);
  }

  /** Lets all that hang now go on; says how many they were. */
  release(): number {
    const released = [...this.#waiting];
    for (const open of released) open();
    return released.length;
  }
}
