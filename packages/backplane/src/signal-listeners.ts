import { TerminalError } from '@turnpike/contract';
import { z } from 'zod';
import { callEach } from './call-each.ts';
import type { Signal } from './signal.ts';

const MAX_BYTES = 4_096;
const signalSchema = z.record(z.string(), z.unknown());

/** Throws `TerminalError` for a signal that is too large: a signal says what changed, not how. */
export function encodeSignal(signal: Signal): string {
  const text = JSON.stringify(signal);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) {
    throw new TerminalError(
      'signal_too_large',
      `A signal may have at most ${MAX_BYTES} bytes; this one has ${bytes}.`,
    );
  }
  return text;
}

type Listener = (signal: Signal) => void;

/** The listeners of this process, by channel. */
export class SignalListeners {
  readonly #byChannel = new Map<string, Set<Listener>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** The channels with listeners. */
  get channels(): string[] {
    return [...this.#byChannel.keys()];
  }

  /** True for the first listener of a channel. */
  add(channel: string, listener: Listener): boolean {
    const listeners = this.#byChannel.get(channel);
    listeners?.add(listener);
    if (listeners === undefined) this.#byChannel.set(channel, new Set([listener]));
    return listeners === undefined;
  }

  /** True when the channel has no listeners left. */
  remove(channel: string, listener: Listener): boolean {
    const listeners = this.#byChannel.get(channel);
    listeners?.delete(listener);
    if (listeners?.size !== 0) return false;
    return this.#byChannel.delete(channel);
  }

  /** Calls the listeners of a channel. A payload that is not a signal is dropped. */
  deliver(channel: string, payload: unknown): void {
    const signal = signalSchema.safeParse(payload);
    if (!signal.success) return;
    callEach(this.#byChannel.get(channel) ?? [], signal.data, this.#onError);
  }
}
