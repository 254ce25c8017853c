import { isIP } from 'node:net';
import { z } from 'zod';

/** Each is asked in turn, so no more are of use. */
const MOST_ADDRESSES = 32;

export interface RedisAddress {
  host: string;
  port: number;
}

/** `host:port,host:port`; the port may be left out. */
const addresses = (defaultPort: number) =>
  z.string().transform((list, context): RedisAddress[] => {
    const texts = list.split(',').flatMap((entry) => entry.trim() || []);
    if (texts.length > MOST_ADDRESSES) {
      context.addIssue({ code: 'custom', message: `names more than ${MOST_ADDRESSES} addresses` });
    }
    return texts.flatMap((text) => {
      const address = readAddress(text, defaultPort);
      if (address === null) {
        context.addIssue({ code: 'custom', message: 'must be host:port, comma-separated' });
      }
      return address ?? [];
    });
  });

const NODE_PORT = 6_379;
const SENTINEL_PORT = 26_379;

/** The variables that say how the Redis of `BACKPLANE_URL` or `REDIS_URL` is found and trusted. */
export const redisVariables = {
  REDIS_CLUSTER: z
    .enum(['on', 'off'])
    .default('off')
    .describe('`on`: the Redis is a Redis Cluster, and the address names one of its nodes.'),
  REDIS_NODES: addresses(NODE_PORT)
    .default([])
    .describe(
      'Further nodes of the cluster, `host:port`, comma-separated: asked where the first does not respond.',
    )
    .meta({ unset: 'none' }),
  REDIS_SENTINELS: addresses(SENTINEL_PORT)
    .default([])
    .describe(
      'Sentinels, `host:port`, comma-separated: they are asked where the primary is. Of the address of Redis, the user, the password, the database and TLS count, and its host is a name that certificates may have.',
    )
    .meta({ unset: 'none' }),
  REDIS_SENTINEL_NAME: z
    .string()
    .min(1)
    .default('mymaster')
    .describe('The name that the Sentinels have for the primary.'),
  REDIS_SENTINEL_USERNAME: z
    .string()
    .min(1)
    .optional()
    .describe('The user at the Sentinels.')
    .meta({ unset: 'their default user' }),
  REDIS_SENTINEL_PASSWORD: z
    .string()
    .min(1)
    .optional()
    .describe('The password at the Sentinels.')
    .meta({ unset: 'none' }),
  REDIS_CA: z
    .string()
    .min(1)
    .optional()
    .describe(
      'With `rediss://`: path of the certificates, in PEM, that Redis and the Sentinels are trusted by.',
    )
    .meta({ unset: 'those of Node.js' }),
  REDIS_CERT: z
    .string()
    .min(1)
    .optional()
    .describe('With `rediss://`: path of the certificate, in PEM, that this program shows to Redis.')
    .meta({ unset: 'none' }),
  REDIS_KEY: z.string().min(1).optional().describe('Path of the key of `REDIS_CERT`, in PEM.').meta({
    unset: 'none',
  }),
};

type RedisVariables = z.output<z.ZodObject<typeof redisVariables>>;

/** How the Redis of an address is found and trusted. */
export interface RedisSettings {
  /** Nodes that are asked beside the one of the address; null where it is no cluster. */
  cluster: { nodes: readonly RedisAddress[] } | null;
  sentinels: {
    addresses: readonly RedisAddress[];
    name: string;
    username: string | undefined;
    password: string | undefined;
  } | null;
  /** Paths. */
  files: { ca: string | undefined; cert: string | undefined; key: string | undefined };
}

/** A single Redis, at its address. */
export const SINGLE_REDIS: RedisSettings = {
  cluster: null,
  sentinels: null,
  files: { ca: undefined, cert: undefined, key: undefined },
};

/**
 * Those variables as settings, for the backplane at `url` (undefined: it is no Redis). Adds an issue for each that does
 * not go with another.
 */
export function redisSettings(
  variables: RedisVariables,
  url: string | undefined,
  context: z.RefinementCtx,
): RedisSettings {
  const refuse = (name: keyof RedisVariables, message: string): void =>
    context.addIssue({ code: 'custom', path: [name], message });
  const { REDIS_CA: ca, REDIS_CERT: cert, REDIS_KEY: key, REDIS_SENTINELS: sentinels } = variables;
  const isCluster = variables.REDIS_CLUSTER === 'on';
  const isRedis = url !== undefined && /^rediss?:/.test(url);
  if (isCluster && !isRedis) refuse('REDIS_CLUSTER', 'needs REDIS_URL');
  if (sentinels.length > 0 && !isRedis) {
    refuse('REDIS_SENTINELS', 'needs REDIS_URL, for the user, the password, the database and TLS');
  }
  if (isCluster && sentinels.length > 0) refuse('REDIS_SENTINELS', 'does not go with REDIS_CLUSTER=on');
  if (isCluster && isRedis && !/^(\/0?)?$/.test(new URL(url).pathname)) {
    refuse('REDIS_CLUSTER', 'needs a REDIS_URL without a database: a cluster has only database 0');
  }
  if (!isCluster && variables.REDIS_NODES.length > 0) refuse('REDIS_NODES', 'needs REDIS_CLUSTER=on');
  if ((cert === undefined) !== (key === undefined)) {
    refuse(
      cert === undefined ? 'REDIS_CERT' : 'REDIS_KEY',
      'is required: REDIS_CERT and REDIS_KEY belong together',
    );
  }
  const isPlain = !isRedis || url.startsWith('redis:');
  for (const name of ['REDIS_CA', 'REDIS_CERT'] as const) {
    if (isPlain && variables[name] !== undefined)
      refuse(name, 'needs a REDIS_URL that begins with rediss://');
  }
  return {
    cluster: isCluster ? { nodes: variables.REDIS_NODES } : null,
    sentinels:
      sentinels.length === 0
        ? null
        : {
            addresses: sentinels,
            name: variables.REDIS_SENTINEL_NAME,
            username: variables.REDIS_SENTINEL_USERNAME,
            password: variables.REDIS_SENTINEL_PASSWORD,
          },
    files: { ca, cert, key },
  };
}

/** Null for what is no `host:port`. */
function readAddress(text: string, defaultPort: number): RedisAddress | null {
  // A bare IPv6 address would be read as a host and a port.
  const address = `redis://${isIP(text) === 6 ? `[${text}]` : text}`;
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  const isMore = url.username !== '' || url.password !== '' || url.pathname !== '' || url.search !== '';
  return url.hostname === '' || isMore ? null : addressOf(url, defaultPort);
}

/** Where a `redis://` URL points to. */
export function addressOf(url: URL, defaultPort = NODE_PORT): RedisAddress {
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, '') || 'localhost',
    port: url.port === '' ? defaultPort : Number(url.port),
  };
}
