import { textOf, turnEventSchema, type TurnEvent } from '@turnpike/contract';

/** What a client that keeps to docs/how-to/streaming.md shows of a turn, and what it got. */
export class ShownTurn {
  /** Cursors of the facts, as they came. */
  readonly cursors: string[] = [];
  readonly types: string[] = [];
  /** The text of the step under way. */
  text = '';
  /** Each text that was on the screen when its step was completed or begun anew. */
  readonly before: { shown: string; completed: string }[] = [];
  previews = 0;
  restarts = 0;
  last: TurnEvent | null = null;
  readonly #promised: string[] = [];

  /** Takes the `data` of the next event, and its `id` where it has one. */
  take(json: string, id: string | null): void {
    const event = turnEventSchema.parse(JSON.parse(json));
    if (event.type === 'message.delta') {
      this.previews += 1;
      // A gap is nothing to show: the step will bring it all.
      if (event.offset <= this.text.length) this.text = this.text.slice(0, event.offset) + event.text;
      this.#promised.push(this.text);
      return;
    }
    this.last = event;
    this.types.push(event.type);
    if (id !== null) this.cursors.push(id);
    if (event.type === 'step.started') this.text = '';
    if (event.type === 'step.restarted') {
      this.restarts += 1;
      this.text = '';
    }
    if (event.type !== 'step.completed') return;
    const completed = textOf(event.step.content);
    this.before.push({ shown: this.text, completed });
    this.text = completed;
  }

  /** Texts that were on the screen and are no beginning of this one. */
  shownBeside(text: string): string[] {
    return this.#promised.filter((shown) => !text.startsWith(shown));
  }
}
