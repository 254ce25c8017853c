import type { ContentBlock, MessageDelta, TurnEvent } from './wire/contract.ts';

/** Turns the events of a turn into the text to show: that of the step under way, in the end the answer. */
export class TextSoFar {
  #text = '';

  get text(): string {
    return this.#text;
  }

  /** Takes the next event; returns the text. Events may come twice, and pieces may be left out. */
  take(event: TurnEvent): string {
    const { type } = event;
    if (type === 'step.started' || type === 'step.restarted') this.#text = '';
    else if (type === 'message.delta') this.#takePiece(event);
    // A round of tools says nothing, and a compaction is not said to the user.
    else if (type === 'step.completed' && event.step.type === 'model_call')
      this.#text = textOf(event.step.content);
    else if (type === 'turn.completed' || type === 'turn.incomplete')
      this.#text = event.turn.output_text ?? this.#text;
    return this.#text;
  }

  #takePiece({ offset, text }: MessageDelta): void {
    if (offset <= this.#text.length) this.#text = this.#text.slice(0, offset) + text;
  }
}

function textOf(content: readonly ContentBlock[]): string {
  return content.map((block) => (block.type === 'text' ? String(block['text']) : '')).join('');
}
