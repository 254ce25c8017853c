import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { openBackplane, type Backplane } from '@turnpike/backplane';
import { createSecureUrlCheck } from '@turnpike/egress';
import { openFiles, type FileSettings } from '@turnpike/files';
import { createEnvironmentKeys, parseMasterKeys } from '@turnpike/secrets';
import {
  checkDatabase,
  createApiKey,
  createTenant,
  recordKeyUse,
  openDatabase,
  openSecretBox,
  requiredMigrations,
} from '@turnpike/store';
import { createLogger, createMetrics, Readiness } from '@turnpike/telemetry';
import { InputSchemas } from '@turnpike/tools';
import { Dispatcher, watchTurns } from '@turnpike/turns';
import supertest from 'supertest';
import { TEST_MASTER_KEYS } from '../../../../tests/support/master-keys.ts';
import { BodyMemory } from '../body-memory.ts';
import { createApi } from '../create-api.ts';
import { DIALECTS } from '../dialects/dialects.ts';
import { createHttpServer, type RequestTimes } from '../create-http-server.ts';
import { KeyUses } from '../key-uses.ts';
import type { Services } from '../route.ts';
import { EventStreams, STREAM_DEFAULTS, type StreamSettings } from '../streams/event-streams.ts';
import type { TrustedProxies } from '../trust-proxy.ts';
import { TurnWaiters } from '../turn-waiters.ts';

export interface Client {
  tenantId: string;
  apiKey: string;
  keyId: string;
  /** Sends the API key with every request. */
  http: ReturnType<typeof supertest.agent>;
}

/** The whole API with real services, listening on a free port. No reconciler and no worker runs. */
export interface TestApi extends Omit<Services, 'capacity' | 'budgetCheck'> {
  url: string;
  client: Client;
  bodies: BodyMemory;
  logLines: string[];
  /** Errors of background work. */
  errors: unknown[];
  addTenant(): Promise<Client>;
  /** Opens another process's connection to the same backplane. */
  openSecondBackplane(): Promise<Backplane>;
  /** Every row of every table. */
  readAllRows(): Promise<Record<string, string[]>>;
  stop(): Promise<void>;
}

export const MAX_BODY_BYTES = 1024 * 1024;
const MAX_BODY_BYTES_IN_FLIGHT = 4 * MAX_BODY_BYTES;

/** Without `backplaneUrl` the backplane is the database. */
export async function startTestApi(
  { url: databaseUrl, drop }: { url: string; drop(): Promise<void> },
  options: {
    backplaneUrl?: string | undefined;
    poolSize?: number;
    isStopping?: () => boolean;
    streams?: Partial<StreamSettings>;
    trustProxy?: TrustedProxies;
    loggedRequests?: number;
    corsOrigins?: readonly string[];
    times?: RequestTimes;
    /** Default: Postgres, and no scan. Nothing is erased or scanned unless the test asks for a pass. */
    files?: Partial<FileSettings>;
  } = {},
): Promise<TestApi> {
  const logLines: string[] = [];
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const poolSize = options.poolSize ?? 10;
  const database = openDatabase({ url: databaseUrl, poolSize, applicationName: 'api-test', onError });
  // A played worker receives no jobs, so its concurrency is larger than all that tests submit.
  await database.pool.query(
    `INSERT INTO workers (id, concurrency, seen_at) VALUES ('played', 10000, now() + interval '1 day')`,
  );
  const prefix = `t-${randomUUID()}`;
  const openSecond = (): Promise<Backplane> =>
    openBackplane({ url: options.backplaneUrl ?? databaseUrl, prefix, onError });
  const backplane = await openSecond();
  const dispatcher = new Dispatcher({ database, backplane, onError });
  const waiters = new TurnWaiters();
  const streams = new EventStreams(backplane.live, { ...STREAM_DEFAULTS, ...options.streams }, onError);
  await watchTurns(backplane, ({ turn_id: turnId }) => {
    waiters.wake(turnId);
    streams.wake(turnId);
  });
  backplane.onReconnect(() => {
    waiters.wakeAll();
    streams.wakeAll();
  });

  const stream = new PassThrough().on('data', (line: Buffer) => logLines.push(line.toString()));
  const logger = createLogger({ service: 'api', level: 'debug', format: 'json', stream });
  const secretBox = openSecretBox(database, createEnvironmentKeys(parseMasterKeys(TEST_MASTER_KEYS)));
  const files = await openFiles(database, { s3: null, scan: null, ...options.files }, () => (error) => {
    onError(error);
    return true;
  });
  const keyUses = new KeyUses((ids) => recordKeyUse(database.pool, ids), onError);
  const inputSchemas = new InputSchemas(onError);
  const checkPublicUrl = createSecureUrlCheck({ allow: ['127.0.0.1'] });
  const services = {
    database,
    backplane,
    dispatcher,
    files,
    waiters,
    secretBox,
    keyUses,
    inputSchemas,
    modelBetas: ['context-1m-2025-08-07'],
    nudgeBatches: () => undefined,
    nudgeSchedules: () => undefined,
    checkPublicUrl,
    streams,
    reportError: onError,
  };
  const bodies = new BodyMemory({ maxBytes: MAX_BODY_BYTES, maxBytesInFlight: MAX_BODY_BYTES_IN_FLIGHT });
  const migrations = await requiredMigrations();
  const readiness = new Readiness(
    { postgres: () => checkDatabase(database, migrations), backplane: () => backplane.ping() },
    { keepMs: 0, isStopping: options.isStopping ?? (() => false) },
  );
  const server = createHttpServer(
    createApi(services, {
      logger,
      metrics: createMetrics('api'),
      maxBodyBytes: MAX_BODY_BYTES,
      bodies,
      dialects: DIALECTS,
      // Without workers no turn ends.
      dialectWaitMs: 50,
      ...(options.corsOrigins === undefined ? {} : { corsOrigins: options.corsOrigins }),
      readiness,
      ...(options.trustProxy === undefined ? {} : { trustProxy: options.trustProxy }),
      loggedRequests: options.loggedRequests ?? 1,
    }),
    logger,
    options.times,
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  const url = `http://127.0.0.1:${address.port}`;

  const addTenant = async (): Promise<Client> => {
    const tenantId = await createTenant(database, 'Acme', { operatorKey: true });
    const { key, apiKey } = await createApiKey(database.pool, { tenantId, name: 'test', scopes: ['admin'] });
    // Clients of A2A say the version of the protocol with every request.
    const http = supertest.agent(url).set({ authorization: `Bearer ${key}`, 'a2a-version': '1.0' });
    return { tenantId, apiKey: key, keyId: apiKey.id, http };
  };
  const opened = [backplane];
  return {
    ...services,
    url,
    bodies,
    client: await addTenant(),
    logLines,
    errors,
    addTenant,
    async openSecondBackplane() {
      const second = await openSecond();
      opened.push(second);
      return second;
    },
    async readAllRows() {
      const { rows: tables } = await database.pool.query<{ name: string }>(TABLES);
      const contents: Record<string, string[]> = {};
      for (const { name } of tables) {
        // The last use of a key is recorded some time later, maybe during a comparison.
        const shown = name === 'api_keys' ? "(to_jsonb(t) - 'last_used_at')::text" : 't::text';
        const { rows } = await database.pool.query<{ row: string }>(
          `SELECT ${shown} AS row FROM ${name} AS t ORDER BY 1`,
        );
        contents[name] = rows.map(({ row }) => row);
      }
      return contents;
    },
    async stop() {
      waiters.close();
      streams.close();
      server.close();
      server.closeAllConnections();
      await keyUses.close();
      await inputSchemas.close();
      await dispatcher.settle();
      await files.close();
      await Promise.all(opened.map((each) => each.close()));
      await database.close();
      await drop();
    },
  };
}

const TABLES = `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`;
