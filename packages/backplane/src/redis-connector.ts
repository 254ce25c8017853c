import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, type CommonRedisOptions } from 'ioredis';
import type { FindPrimary } from './find-primary.ts';
import type { Secure } from './redis-tls.ts';

/** A connection that is ended and does not close is destroyed after this time. */
const DISCONNECT_MS = 2_000;

/** What ioredis says itself: it reports no such error of a client that is being closed. */
const CLOSED = 'Connection is closed.';

type Connector = NonNullable<CommonRedisOptions['Connector']>;

/** The time before an attempt: at once, then up to every two seconds, with jitter so that a fleet does not reconnect together. */
export const retryDelay = (attempts: number): number =>
  Math.min(2_000, attempts * 100) * (0.5 + Math.random() / 2);

/**
 * Makes each connection to where the primary is at that moment. Tries until it is found: a client of ioredis whose
 * connector fails never connects again.
 */
export function connectorTo(find: FindPrimary, secure: Secure | null, mayMove: boolean): Connector {
  return class extends AbstractConnector {
    #attempt = new AbortController();
    #report: (type: string, error: Error) => void = () => undefined;

    constructor() {
      super(DISCONNECT_MS);
    }

    /** A server that was found and is a replica by now is left: those who said so are not told of the failover yet. */
    override check(info: { role?: string }): boolean {
      if (!mayMove || info.role !== 'slave') return true;
      this.#report('error', new Error('The Redis that should be the primary is a replica.'));
      return false;
    }

    override disconnect(): void {
      this.#attempt.abort();
      super.disconnect();
    }

    override async connect(report: (type: string, error: Error) => void): Promise<Socket> {
      this.#report = report;
      const { signal } = (this.#attempt = new AbortController());
      for (let attempts = 1; ; attempts++) {
        try {
          const address = await find();
          const tls = secure === null ? null : await secure(address.host);
          if (signal.aborted) throw new Error(CLOSED);
          this.stream = tls === null ? createConnection(address) : connectTls({ ...address, ...tls });
          // Also when ioredis has let go of it: a handshake that is cut off may fail later.
          this.stream.on('error', (error) => {
            this.firstError = error;
          });
          return this.stream;
        } catch (error) {
          if (signal.aborted) throw new Error(CLOSED, { cause: error });
          report('error', error instanceof Error ? error : new Error(String(error)));
          await delay(retryDelay(attempts), undefined, { signal }).catch(() => undefined);
        }
      }
    }
  };
}
