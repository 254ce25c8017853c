import type { TurnLease } from './ports.ts';

/** The part of a lease that shows text. */
type PreviewLease = Pick<TurnLease, 'eventCount' | 'show'>;

/**
 * Shows the text of one step while it comes. Each try at the step is identified by the number of the newest event
 * when it began, so text of a new try waits until the restart before it is committed.
 */
export class TextPreview {
  readonly #lease: PreviewLease;
  readonly #stepIndex: number;
  #restarts = 0;
  /** Null while a restart is being committed. */
  #attempt: number | null;
  #waiting = '';

  constructor(lease: PreviewLease, stepIndex: number) {
    this.#lease = lease;
    this.#stepIndex = stepIndex;
    this.#attempt = lease.eventCount;
  }

  add(text: string): void {
    this.#waiting += text;
    this.#show();
  }

  /** The text shown so far is void once `committed` has resolved; where it rejects, nothing more is shown. */
  async restart(committed: Promise<unknown>): Promise<void> {
    const number = ++this.#restarts;
    this.#attempt = null;
    this.#waiting = '';
    await committed;
    if (number !== this.#restarts) return;
    this.#attempt = this.#lease.eventCount;
    this.#show();
  }

  #show(): void {
    if (this.#attempt === null || this.#waiting === '') return;
    this.#lease.show({ stepIndex: this.#stepIndex, attempt: this.#attempt, text: this.#waiting });
    this.#waiting = '';
  }
}
