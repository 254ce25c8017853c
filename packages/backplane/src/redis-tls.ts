import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type ConnectionOptions } from 'node:tls';
import { TerminalError } from '@turnpike/contract';
import type { RedisSettings } from './redis-settings.ts';

/** The options of a TLS connection to this host. */
export type Secure = (host: string) => Promise<ConnectionOptions>;

/**
 * The files are read for each connection, since certificates are replaced while programs run. A server may show a
 * certificate for the host that it was found at, or for the one of the address: a cluster and Sentinels often name IP
 * addresses, which few certificates have.
 */
export function secureBy({ ca, cert, key }: RedisSettings['files'], nameOfAll: string): Secure {
  return async (host) => {
    const names = host === nameOfAll ? [host] : [host, nameOfAll];
    const servername = names.find((name) => isIP(name) === 0);
    return {
      ...(ca === undefined ? {} : { ca: await readFile(ca) }),
      ...(cert === undefined || key === undefined
        ? {}
        : { cert: await readFile(cert), key: await readFile(key) }),
      ...(servername === undefined ? {} : { servername }),
      checkServerIdentity(_, certificate) {
        const refusals = names.map((name) => checkServerIdentity(name, certificate));
        return refusals.includes(undefined) ? undefined : refusals[0];
      },
    };
  };
}

/** Throws `TerminalError` for files that cannot be read or are no certificates. */
export async function checkTls(secure: Secure): Promise<void> {
  try {
    createSecureContext(await secure('localhost'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TerminalError(
      'redis_tls',
      `The files of REDIS_CA, REDIS_CERT and REDIS_KEY cannot be used: ${reason}.`,
      error,
    );
  }
}
