import type { ContentBlock, MessageDelta, TurnEvent } from './wire/contract.ts';

/** Converts the events of a turn into the text to show: that of the current step, and finally the turn's output. */
export class TextSoFar {
  #text = '';

  get text(): string {
    return this.#text;
  }

  /** Applies the next event and returns the text. Duplicate events and missing deltas are handled. */
  take(event: TurnEvent): string {
    const { type } = event;
    if (type === 'step.started' || type === 'step.restarted') this.#text = '';
    else if (type === 'message.delta') this.#applyDelta(event);
    // Rounds of tools have no text, and the summary of a compaction is not for the user.
    else if (type === 'step.completed' && event.step.type === 'model_call')
      this.#text = textOf(event.step.content);
    else if (type === 'turn.completed' || type === 'turn.incomplete')
      this.#text = event.turn.output_text ?? this.#text;
    return this.#text;
  }

  #applyDelta({ offset, text }: MessageDelta): void {
    if (offset <= this.#text.length) this.#text = this.#text.slice(0, offset) + text;
  }
}

function textOf(content: readonly ContentBlock[]): string {
  return content.map((block) => (block.type === 'text' ? String(block['text']) : '')).join('');
}
