import type { Subject } from './subject.ts';
import { withWires, Wire } from './wire.ts';

/** Closed-loop clients: each submits a turn, waits for its end, and begins again. */
export interface Clients {
  /** Resolves once all have ended. */
  run(turns: number): Promise<void>;
}

export function clientsOf(subject: Subject, count: number): Clients {
  return {
    async run(turns) {
      let left = turns;
      await withWires(
        count,
        () => new Wire(subject.url),
        (wires) =>
          Promise.all(
            wires.map(async (wire) => {
              while (left-- > 0) await subject.untilDone(wire, await subject.submit(wire));
            }),
          ),
      );
    },
  };
}
