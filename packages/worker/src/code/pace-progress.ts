import { storableText } from '@turnpike/contract';
import { hideSecrets } from '@turnpike/tools';

const EVERY_MS = 250;
const MOST_CHARACTERS = 500;

/** Shows what a tool says of its progress: at most four times a second, the newest last, bounded, without secrets. */
export class ProgressPace {
  readonly #show: (progress: string | number) => void;
  readonly #secrets: readonly string[];
  #timer: NodeJS.Timeout | null = null;
  #newest: string | number | null = null;

  constructor(show: (progress: string | number) => void, secrets: readonly string[]) {
    this.#show = show;
    this.#secrets = secrets;
  }

  /** Throws a `TypeError` for what is neither text nor a number from 0 to 1. */
  add(progress: unknown): void {
    const isShare = typeof progress === 'number' && progress >= 0 && progress <= 1;
    if (!isShare && typeof progress !== 'string') {
      throw new TypeError('Progress is a text, or a number from 0 to 1.');
    }
    this.#newest = progress;
    if (this.#timer === null) this.#flush();
  }

  /** Shows nothing more. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#newest = null;
  }

  #flush(): void {
    const newest = this.#newest;
    this.#timer = null;
    if (newest === null) return;
    this.#newest = null;
    const cut = typeof newest === 'string' ? newest.slice(0, MOST_CHARACTERS) : newest;
    const isCut = typeof newest === 'string' && newest.length > MOST_CHARACTERS;
    this.#show(typeof cut === 'string' ? storableText(hideSecrets(cut, this.#secrets, isCut)) : cut);
    this.#timer = setTimeout(() => this.#flush(), EVERY_MS).unref();
  }
}
