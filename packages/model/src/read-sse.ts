/** One event of a stream. */
export interface SentEvent {
  /** Null where it has no name. */
  name: string | null;
  data: string;
}

/**
 * Reads server-sent events (HTML standard, 9.2.6) as their bytes arrive, and calls `onEvent` with each. Unlike an
 * iterator, it has no promise for each event: a worker reads tens of thousands of them a second.
 */
export class SseReader {
  readonly #onEvent: (event: SentEvent) => void;
  readonly #decoder = new TextDecoder('utf-8');
  /** Of the line that is not complete. A text is copied when it is searched, so its pieces are joined once. */
  #pieces: string[] = [];
  /** A line feed that comes now belongs to the line end before it. */
  #endedWithReturn = false;
  #name: string | null = null;
  #data: string[] = [];

  constructor(onEvent: (event: SentEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** The next bytes of the stream. An event counts once the empty line after it has come. Throws what `onEvent` throws. */
  add(bytes: Uint8Array): void {
    this.#addText(this.#decoder.decode(bytes, { stream: true }));
  }

  #addText(text: string): void {
    if (text === '') return;
    let start = this.#endedWithReturn && text.startsWith('\n') ? 1 : 0;
    this.#endedWithReturn = text.endsWith('\r');
    const hasReturns = text.includes('\r');
    for (let end = endOfLine(text, start, hasReturns); end !== -1; end = endOfLine(text, start, hasReturns)) {
      this.#endLine(text.slice(start, end));
      const isPair = hasReturns && text[end] === '\r' && text[end + 1] === '\n';
      start = end + (isPair ? 2 : 1);
    }
    if (start < text.length) this.#pieces.push(start === 0 ? text : text.slice(start));
  }

  #endLine(rest: string): void {
    let line = rest;
    if (this.#pieces.length > 0) {
      this.#pieces.push(rest);
      line = this.#pieces.join('');
      this.#pieces = [];
    }
    if (line === '') this.#endEvent();
    else this.#addField(line);
  }

  #addField(line: string): void {
    // The most frequent field, as nearly every server writes it.
    if (line.startsWith('data: ')) {
      this.#data.push(line.slice(6));
      return;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    if (field !== 'event' && field !== 'data') return;
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#name = value;
    else this.#data.push(value);
  }

  #endEvent(): void {
    if (this.#name === null && this.#data.length === 0) return;
    const data = this.#data.length === 1 ? (this.#data[0] ?? '') : this.#data.join('\n');
    const event = { name: this.#name, data };
    this.#name = null;
    this.#data = [];
    this.#onEvent(event);
  }
}

const LINE_END = /[\r\n]/g;

/** -1 where no line ends. */
function endOfLine(text: string, start: number, hasReturns: boolean): number {
  if (!hasReturns) return text.indexOf('\n', start);
  LINE_END.lastIndex = start;
  return LINE_END.exec(text)?.index ?? -1;
}
