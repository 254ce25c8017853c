import type { Wire } from './wire.ts';

/** What is measured: the floor, or Turnpike. */
export interface Subject {
  name: string;
  url: string;
  databaseUrl: string;
  /** Its own processes, by name: process ids. */
  processes: Readonly<Record<string, number>>;
  /** Submits a turn; resolves with its id when it is accepted. */
  submit(wire: Wire): Promise<string>;
  /** Resolves when the turn has ended. */
  untilDone(wire: Wire, id: string): Promise<void>;
  /** Turns that have not ended. */
  countOpen(): Promise<number>;
  stop(): Promise<void>;
}
