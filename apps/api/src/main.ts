import { once } from 'node:events';
import type { Server } from 'node:http';
import { openBackplane } from '@turnpike/backplane';
import { createSecureUrlCheck, createUpstreamFetch } from '@turnpike/egress';
import { openKeyProvider } from '@turnpike/secrets';
import {
  checkDatabase,
  checkSettings,
  recordKeyUse,
  openDatabase,
  openSecretBox,
  requiredMigrations,
} from '@turnpike/store';
import {
  createLogger,
  createMetrics,
  exitOnCrash,
  exitOnSignal,
  openTracing,
  Readiness,
  reportSparingly,
  scrub,
  serveMetrics,
} from '@turnpike/telemetry';
import { InputSchemas } from '@turnpike/tools';
import { Dispatcher, Reconciliation, startReconciler, watchTurns } from '@turnpike/turns';
import { BudgetCheck } from './budget-check.ts';
import { BodyMemory } from './body-memory.ts';
import { readConfig, type Config } from './config.ts';
import { createApi } from './create-api.ts';
import { createHttpServer } from './create-http-server.ts';
import { KeyUses } from './key-uses.ts';
import { EventStreams } from './streams/event-streams.ts';
import { TurnWaiters } from './turn-waiters.ts';
import { watchProcess } from './watch-process.ts';

async function start(config: Config): Promise<void> {
  const logger = createLogger({ service: 'api', level: config.logLevel, format: config.logFormat });
  exitOnCrash(logger);
  const warn = reportSparingly((message, fields) => logger.warn(message, fields));

  const metrics = createMetrics('api', warn('A number for /metrics could not be read.'));
  const tracing = await openTracing(config.tracing, 'api', warn('Traces could not be sent.'));
  const database = openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    applicationName: 'turnpike-api',
    onError: warn('A database connection broke.'),
  });
  await checkSettings(database, warn('The database does not answer; it is waited for.'));
  const masterKeys = await openKeyProvider(config.keys, {
    connect: ({ ca }) => createUpstreamFetch({ idleTimeoutMs: 10_000, ...(ca === undefined ? {} : { ca }) }),
    onRenewalFailure: warn('Vault did not renew the token.'),
  });
  // It starts all the same: what needs a key waits for it, and what needs none goes on.
  masterKeys.currentKeyId().catch(warn('The master keys cannot be used now.'));
  const secretBox = openSecretBox(database, masterKeys);
  const backplane = await openBackplane({
    url: config.backplaneUrl,
    prefix: config.backplanePrefix,
    onError: warn('The backplane complained.'),
    onUnusable(error) {
      logger.error('The backplane cannot be used.', { error });
      process.exit(1);
    },
  });
  const dispatcher = new Dispatcher({
    database,
    backplane,
    onError: warn('A dispatch failed; it is repeated.'),
  });
  const reconciliation = new Reconciliation({ database, backplane, dispatcher }, config);
  const stopReconciler = startReconciler({
    pass: () => reconciliation.pass(),
    everyMs: config.reconcileEveryMs,
    onRepairs(repairs) {
      for (const [kind, count] of Object.entries(repairs)) metrics.repairs.inc({ kind }, count);
      if (repairs.expiredLeases + repairs.lostJobs > 0) logger.info('Repaired.', { ...repairs });
    },
    onError: warn('A reconciler pass failed; the next one goes on.'),
  });
  const inputSchemas = new InputSchemas(warn('The schema of a tool could not be checked.'));
  const keyUses = new KeyUses(
    (ids) => recordKeyUse(database.pool, ids),
    warn('The use of keys could not be noted.'),
  );
  const waiters = new TurnWaiters();
  const streams = new EventStreams(
    backplane.live,
    config.streams,
    warn('A stream of events was disturbed; it looks again.'),
  );
  await watchTurns(backplane, ({ turn_id: turnId }) => {
    waiters.wake(turnId);
    streams.wake(turnId);
  });
  backplane.onReconnect(() => {
    waiters.wakeAll();
    streams.wakeAll();
  });

  const bodies = new BodyMemory({
    maxBytes: config.maxBodyBytes,
    maxBytesInFlight: config.maxBodyBytesInFlight,
  });
  watchProcess({ metrics, database, backplane, waiters, streams, bodies });
  let isStopping = false;
  const migrations = await requiredMigrations();
  const readiness = new Readiness(
    { postgres: () => checkDatabase(database, migrations), backplane: () => backplane.ping() },
    { isStopping: () => isStopping },
  );
  const app = createApi(
    {
      database,
      backplane,
      dispatcher,
      waiters,
      streams,
      secretBox,
      keyUses,
      budgetCheck: new BudgetCheck(),
      inputSchemas,
      checkPublicUrl: createSecureUrlCheck({ allow: config.egressAllow }),
      reportError: (error, about) => logger.warn('A change could not be announced.', { ...about, error }),
    },
    {
      logger,
      metrics,
      tracing,
      bodies,
      maxBodyBytes: config.maxBodyBytes,
      corsOrigins: config.corsOrigins,
      trustProxy: config.trustProxy,
      readiness,
    },
  );
  const server = createHttpServer(app, logger);
  // Whoever keeps a connection finds another process before this one is gone.
  server.prependListener('request', (_request, response) => {
    if (isStopping) response.setHeader('Connection', 'close');
  });
  const metricsServer =
    config.metricsPort === undefined
      ? null
      : await serveMetrics({ metrics, readiness, port: config.metricsPort, host: config.metricsHost });
  server.listen(config.port, config.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  logger.info('API listening.', {
    host: config.host,
    port,
    backplane: backplane.driver,
    metrics_port: metricsServer?.port ?? null,
  });

  const stop = async (): Promise<void> => {
    logger.info('Stopping.');
    const closed = closeServer(server);
    waiters.close();
    streams.close();
    await closed;
    await metricsServer?.close();
    await keyUses.close();
    await inputSchemas.close();
    await stopReconciler();
    await dispatcher.settle();
    secretBox.close();
    masterKeys.close();
    await backplane.close();
    await database.close();
    await tracing.close();
    logger.info('API stopped.');
  };
  exitOnSignal({
    logger,
    delayMs: config.shutdownDelayMs,
    limitMs: config.shutdownMs,
    onAsked() {
      isStopping = true;
    },
    stop,
  });
  // Whoever is told may send a signal at once.
  process.send?.({ type: 'listening', port });
}

/** Takes no new connection; resolves when the requests under way have their answers. */
async function closeServer(server: Server): Promise<void> {
  server.close();
  // A connection that is kept alive is idle only once its last answer is given.
  const closing = setInterval(() => server.closeIdleConnections(), 50);
  await once(server, 'close');
  clearInterval(closing);
}

// A setting that is wrong is told like everything else that keeps it from starting.
const started = (async () => start(readConfig()))();
started.catch((error: unknown) => {
  process.stderr.write(`${scrub(error instanceof Error ? error.message : String(error))}\n`);
  process.exit(1);
});
