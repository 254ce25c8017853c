import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { turnEventSchema, type TurnEvent } from '@turnpike/contract';
import { untilTrue } from '../../../../tests/support/until-true.ts';

export interface Received {
  id: string | undefined;
  event: TurnEvent;
}

/** A client of an event stream that keeps the raw bytes. */
export class Follower {
  readonly response: IncomingMessage;
  readonly received: Received[] = [];
  readonly comments: string[] = [];
  retryMs: number | undefined;
  /** True once the server has ended the stream; false for a lost connection. */
  ended = false;
  closed = false;
  /** The raw text. */
  raw = '';
  #rest = '';

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text));
    response.on('end', () => (this.ended = true));
    response.on('close', () => (this.closed = true));
    response.on('error', () => undefined);
  }

  static async open(
    url: string,
    path: string,
    apiKey: string,
    headers: Record<string, string> = {},
  ): Promise<Follower> {
    const request = get(`${url}${path}`, { headers: { authorization: `Bearer ${apiKey}`, ...headers } });
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return new Follower(response);
  }

  get status(): number {
    return this.response.statusCode ?? 0;
  }

  get types(): string[] {
    return this.received.map(({ event }) => event.type);
  }

  get ids(): string[] {
    return this.received.flatMap(({ id }) => id ?? []);
  }

  /** The text of each step as a client shows it by the rule of docs/how-to/streaming.md. */
  get text(): string {
    let text = '';
    for (const { event } of this.received) {
      if (event.type === 'step.started' || event.type === 'step.restarted') text = '';
      if (event.type === 'message.delta' && event.offset <= text.length)
        text = text.slice(0, event.offset) + event.text;
    }
    return text;
  }

  until(what: string, check: (follower: this) => boolean): Promise<void> {
    return untilTrue(`${what}; got ${this.types.join(' ')}`, () => check(this));
  }

  untilEvent(type: TurnEvent['type']): Promise<void> {
    return this.until(`there is ${type}`, ({ types }) => types.includes(type));
  }

  /** Stops reading, as a client that hangs. */
  pause(): void {
    this.response.pause();
  }

  resume(): void {
    this.response.resume();
  }

  close(): void {
    this.response.destroy();
  }

  #take(text: string): void {
    this.raw += text;
    const frames = (this.#rest + text).split('\n\n');
    this.#rest = frames.pop() ?? '';
    for (const frame of frames) this.#takeFrame(frame);
  }

  #takeFrame(frame: string): void {
    const fields = new Map<string, string>();
    for (const line of frame.split('\n')) {
      if (line.startsWith(':')) this.comments.push(line);
      else fields.set(line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2));
    }
    const retry = fields.get('retry');
    if (retry !== undefined) this.retryMs = Number(retry);
    const json = fields.get('data');
    if (json === undefined) return;
    const event = turnEventSchema.parse(JSON.parse(json));
    if (fields.get('event') !== event.type) throw new Error(`${fields.get('event')} is not ${event.type}.`);
    this.received.push({ id: fields.get('id'), event });
  }
}
