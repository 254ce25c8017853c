import type { TurnJob } from '../turn-job.ts';

/** Runs that last until `letGo` is called. */
export class HeldRuns {
  now = 0;
  most = 0;
  readonly started: string[] = [];
  #letGo: () => void = () => undefined;
  readonly #held = new Promise<void>((resolve) => (this.#letGo = resolve));

  readonly run = async ({ turnId }: TurnJob): Promise<void> => {
    this.started.push(turnId);
    this.now += 1;
    this.most = Math.max(this.most, this.now);
    await this.#held;
    this.now -= 1;
  };

  /** Ends the current runs, and all later ones at once. */
  letGo(): void {
    this.#letGo();
  }
}

/** Jobs of turns that are numbered from `start`. */
export function someJobs(count: number, start = 0): TurnJob[] {
  return Array.from({ length: count }, (_, index) => ({
    turnId: `turn_${start + index}`,
    epoch: 0,
    jobNumber: 1,
  }));
}
