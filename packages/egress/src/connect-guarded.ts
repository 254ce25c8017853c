import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { checkAddress, type Destination } from './check-destination.ts';
import { EgressRefusedError, EgressUnreachableError } from './errors.ts';
import type { EgressRules } from './policy.ts';

/** How far a connection got: what tells "never left" from "may have left". */
export interface Connection {
  connected: boolean;
  abandoned: boolean;
}

/**
 * A connector for one request: resolves the name once, refuses unless *every* address may be
 * reached (one bad record is enough, or a second try would find it), and connects to those addresses
 * with no further look-up. The peer's address is checked once more before a byte of the request leaves.
 */
export function guardedConnector(
  destination: Destination,
  rules: EgressRules,
  connection: Connection,
): buildConnector.connector {
  const connect = async (
    options: buildConnector.Options,
    callback: buildConnector.Callback,
  ): Promise<void> => {
    const addresses = await resolveChecked(destination, rules);
    if (connection.abandoned)
      throw new EgressUnreachableError('connect_timeout', 'The request was given up.');
    const plainConnector = buildConnector({
      timeout: rules.connectTimeoutMs,
      lookup: answerWith(addresses),
      // Said out loud, so that no variable of the environment can turn it off.
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
        checkAddress(socket.remoteAddress ?? '', destination.host, destination.port, rules);
      } catch (refusal) {
        socket.destroy();
        callback(refusal as Error, null);
        return;
      }
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

async function resolveChecked({ host, port }: Destination, rules: EgressRules): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const addresses = await withinTime(rules.lookup(host), rules.connectTimeoutMs, host);
  if (addresses.length === 0) throw new EgressUnreachableError('dns_failed', `${host} has no address.`);
  for (const address of addresses) {
    if (isIP(address) === 0) throw new EgressRefusedError('address_refused', `${host} has no valid address.`);
    checkAddress(address, host, port, rules);
  }
  return addresses;
}

async function withinTime<Value>(lookup: Promise<Value>, limitMs: number, host: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(new EgressUnreachableError('connect_timeout', `The name ${host} was not resolved in time.`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([lookup, expiry]);
  } catch (error) {
    if (error instanceof EgressUnreachableError) throw error;
    throw new EgressUnreachableError('dns_failed', `The name ${host} cannot be resolved.`, error);
  } finally {
    clearTimeout(timer);
  }
}

function answerWith(addresses: readonly string[]): LookupFunction {
  const records = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    const usable = options.family ? records.filter((record) => record.family === options.family) : records;
    const [first] = usable;
    if (first === undefined) callback(new Error('no address of this family'), '', 0);
    else if (options.all) callback(null, usable);
    else callback(null, first.address, first.family);
  };
}
