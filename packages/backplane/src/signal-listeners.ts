import { TerminalError } from '@turnpike/contract';
import { z } from 'zod';
import type { Signal } from './backplane.ts';
import { callEach } from './call-each.ts';

const MAX_BYTES = 4_096;
const signalSchema = z.record(z.string(), z.unknown());

/** Throws `TerminalError` for a signal that is too large: signals say where to look, not what is there. */
export function encodeSignal(signal: Signal): string {
  const text = JSON.stringify(signal);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) {
    throw new TerminalError(
      'signal_too_large',
      `A signal may have ${MAX_BYTES} bytes; this one has ${bytes}.`,
    );
  }
  return text;
}

type Listener = (signal: Signal) => void;

/** Who listens to what in this process. */
export class SignalListeners {
  readonly #byChannel = new Map<string, Set<Listener>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** The channels that somebody listens to. */
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

  /** True when nobody listens to the channel any more. */
  remove(channel: string, listener: Listener): boolean {
    const listeners = this.#byChannel.get(channel);
    listeners?.delete(listener);
    if (listeners?.size !== 0) return false;
    return this.#byChannel.delete(channel);
  }

  /** Hands on what came. What is no signal came from somebody else, and is dropped. */
  deliver(channel: string, payload: unknown): void {
    const signal = signalSchema.safeParse(payload);
    if (!signal.success) return;
    callEach(this.#byChannel.get(channel) ?? [], signal.data, this.#onError);
  }
}
