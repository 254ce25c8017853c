import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { checkAddress, type Destination } from './check-destination.ts';
import { EgressRefusedError, EgressUnreachableError } from './errors.ts';
import type { EgressRules } from './policy.ts';

/** The progress of a connection. It tells "never sent" from "possibly sent". */
export interface Connection {
  connected: boolean;
  /** Aborted when the request ends or is given up; ends a look-up or a handshake in progress. */
  abandoned: AbortSignal;
  /** The server reset the connection instead of closing it. */
  reset: boolean;
}

/**
 * A connector for one request. It resolves the name once, refuses unless *every* address is allowed (otherwise a
 * second attempt could reach the bad one), and connects to the checked addresses without another look-up. The
 * peer's address is checked again before the first byte of the request is sent.
 */
export function guardedConnector(
  destination: Destination,
  rules: EgressRules,
  connection: Connection,
  beforeSend: () => void = () => undefined,
): buildConnector.connector {
  const connect = async (
    options: buildConnector.Options,
    callback: buildConnector.Callback,
  ): Promise<void> => {
    // The client would reconnect for a request that it considers unsent. Only the caller may decide to resend.
    if (connection.connected) throw new Error('The connection of this request was closed.');
    const addresses = await resolveChecked(destination, rules, connection.abandoned);
    connection.abandoned.throwIfAborted();
    const plainConnector = buildConnector({
      timeout: rules.connectTimeoutMs,
      lookup: lookupReturning(addresses),
      signal: connection.abandoned,
      // Explicit, so that no environment variable can turn it off.
      rejectUnauthorized: true,
      maxCachedSessions: 0,
      ...(rules.ca === undefined ? {} : { ca: rules.ca }),
    });
    plainConnector(options, (error, socket) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      try {
        checkPeer(socket.remoteAddress, destination, rules);
        beforeSend();
      } catch (reason) {
        socket.destroy();
        callback(reason as Error, null);
        return;
      }
      socket.once('error', (failure: NodeJS.ErrnoException) => {
        connection.reset = failure.code === 'ECONNRESET';
      });
      connection.connected = true;
      callback(null, socket);
    });
  };
  return (options, callback) => {
    connect(options, callback).catch((error: unknown) => {
      callback(error instanceof Error ? error : new Error('The connection failed.'), null);
    });
  };
}

function checkPeer(address: string | undefined, { host, port }: Destination, rules: EgressRules): void {
  // A connection that is already closed has no peer address: this is not a refusal.
  if (address === undefined) {
    throw new EgressUnreachableError('connect_failed', `${host} closed the connection at once.`);
  }
  checkAddress(address, host, port, rules);
}

async function resolveChecked(
  { host, port }: Destination,
  rules: EgressRules,
  abandoned: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const addresses = await withTimeout(() => rules.lookup(host), rules.connectTimeoutMs, host, abandoned);
  if (addresses.length === 0) throw new EgressUnreachableError('dns_failed', `${host} has no address.`);
  for (const address of addresses) {
    if (isIP(address) === 0) throw new EgressRefusedError('address_refused', `${host} has no valid address.`);
    checkAddress(address, host, port, rules);
  }
  return addresses;
}

async function withTimeout<Value>(
  lookup: () => Promise<Value>,
  limitMs: number,
  host: string,
  abandoned: AbortSignal,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  let expire = (): void => undefined;
  const expiry = new Promise<never>((_, reject) => {
    expire = () =>
      reject(new EgressUnreachableError('connect_timeout', `Resolving the name ${host} timed out.`));
    timer = setTimeout(expire, limitMs);
    abandoned.addEventListener('abort', expire, { once: true });
  });
  try {
    return await Promise.race([lookup(), expiry]);
  } catch (error) {
    if (error instanceof EgressUnreachableError) throw error;
    throw new EgressUnreachableError('dns_failed', `The name ${host} could not be resolved.`, error);
  } finally {
    clearTimeout(timer);
    abandoned.removeEventListener('abort', expire);
  }
}

function lookupReturning(addresses: readonly string[]): LookupFunction {
  const records = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    const usable = options.family ? records.filter((record) => record.family === options.family) : records;
    const [first] = usable;
    if (first === undefined) callback(new Error('no address of this family'), '', 0);
    else if (options.all) callback(null, usable);
    else callback(null, first.address, first.family);
  };
}
