import type { CommonRedisOptions } from 'ioredis';
import { clusterPrimary, sentinelPrimary, type FindPrimary, type Login } from './find-primary.ts';
import { connectorTo } from './redis-connector.ts';
import { addressOf, type RedisSettings } from './redis-settings.ts';
import { checkTls, secureBy } from './redis-tls.ts';

/** How every connection of a backplane finds its server. */
export interface RedisAccess {
  /** The user, the password and the database are read from it. */
  url: string;
  Connector: NonNullable<CommonRedisOptions['Connector']>;
  /** Others say where the primary is, and it may be elsewhere later. */
  mayMove: boolean;
}

/**
 * For a single Redis, a cluster or Sentinels. `key` is any key: all are in one slot. Connects to nothing. Throws
 * `TerminalError` for files of certificates that cannot be used.
 */
export async function redisAccess(url: string, settings: RedisSettings, key: string): Promise<RedisAccess> {
  const parsed = new URL(url);
  const address = addressOf(parsed);
  const secure = parsed.protocol === 'rediss:' ? secureBy(settings.files, address.host) : null;
  if (secure !== null) await checkTls(secure);
  const { cluster, sentinels } = settings;
  let find: FindPrimary = () => Promise.resolve(address);
  if (sentinels !== null) find = sentinelPrimary({ ...sentinels, secure });
  else if (cluster !== null) {
    const login: Login = {
      username: decodeURIComponent(parsed.username) || undefined,
      password: decodeURIComponent(parsed.password) || undefined,
      secure,
    };
    find = clusterPrimary([address, ...cluster.nodes], key, login);
  }
  const mayMove = sentinels !== null || cluster !== null;
  return { url, Connector: connectorTo(find, secure, mayMove), mayMove };
}
