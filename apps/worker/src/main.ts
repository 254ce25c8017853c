import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import { openBackplane } from '@turnpike/backplane';
import { isSettled } from '@turnpike/contract';
import { createCallGuard, createEgress, createUpstreamFetch } from '@turnpike/egress';
import { createModel, readPrices, sharedRetryBudget } from '@turnpike/model';
import { openKeyProvider } from '@turnpike/secrets';
import {
  checkDatabase,
  checkSettings,
  createMemoryStore,
  listDebuggedTenants,
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
import { createBuiltins, createToolRunner, InputSchemas } from '@turnpike/tools';
import { Dispatcher, Reconciliation, startReconciler, watchTurns } from '@turnpike/turns';
import { Deliverer } from '@turnpike/webhooks';
import { readConfig, type Config } from './config.ts';
import { countRefusals } from './count-refusals.ts';
import { DebuggedTenants } from './debugged-tenants.ts';
import { logModelContents, logToolContents } from './log-contents.ts';
import { TurnRunner } from './run-turns.ts';
import { createTurnMetrics } from './turn-metrics.ts';
import { watchProcess } from './watch-process.ts';

/** `timeout_ms` of a tool is at most this. */
const LONGEST_CALL_MS = 600_000;

async function start(config: Config): Promise<void> {
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const logger = createLogger({
    service: 'worker',
    level: config.logLevel,
    format: config.logFormat,
  }).child({ worker_id: workerId });
  exitOnCrash(logger);
  const warn = reportSparingly((message, fields) => logger.warn(message, fields));

  const metrics = createMetrics('worker', warn('A number for /metrics could not be read.'));
  const turnMetrics = createTurnMetrics(metrics);
  const tracing = await openTracing(config.tracing, 'worker', warn('Traces could not be sent.'));
  const database = openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    applicationName: 'turnpike-worker',
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
  const model = createModel({
    ...(config.modelApiKey === undefined ? {} : { apiKey: config.modelApiKey }),
    secrets: secretBox,
    egress: { allow: config.egressAllow },
    limits: { keyTtlMs: config.modelKeyTtlMs },
    logger,
    prices: readPrices(config.pricesPath),
    retryBudget: countRefusals(
      sharedRetryBudget(
        backplane.retryBudget,
        warn('The shared retry budget cannot be asked; the process has one of its own.'),
      ),
      turnMetrics,
    ),
    ...(config.modelBaseUrl === undefined ? {} : { baseUrl: config.modelBaseUrl }),
  });
  // Each tool brings its own deadline; what bounds them all is the longest that one may ask for.
  const egress = createEgress({
    allow: config.egressAllow,
    deadlineMs: LONGEST_CALL_MS,
    idleTimeoutMs: LONGEST_CALL_MS,
  });
  // One hung tool may hold a part of the worker's slots, and no more.
  const slots = Math.max(16, Math.floor(config.concurrency / 2));
  const guard = createCallGuard({ slots, maxWaiting: slots, maxWaitMs: 1_000 });
  const schemas = new InputSchemas(warn('The input of a tool could not be checked.'));
  const tools = createToolRunner({
    builtins: createBuiltins({ egress }),
    egress,
    guard,
    secrets: secretBox,
    memory: createMemoryStore(database),
    logger,
    schemas,
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
  const debugged = new DebuggedTenants(
    () => listDebuggedTenants(database.pool),
    warn('It cannot be read whose turns may be logged.'),
  );
  const contents = { isOn: (tenantId: string) => debugged.has(tenantId), logger };
  const runner = new TurnRunner({
    database,
    backplane,
    dispatcher,
    model: logModelContents(model, contents),
    tools: logToolContents(tools, contents),
    logger,
    metrics,
    turnMetrics,
    tracing,
    workerId,
    concurrency: config.concurrency,
    leaseMs: config.leaseMs,
  });
  const deliverer = new Deliverer(
    { database, backplane, secretBox, logger, metrics, tracing },
    {
      ...config.webhooks,
      everyMs: config.reconcileEveryMs,
      jobAgeMs: config.jobAgeMs,
      allow: config.egressAllow,
    },
  );
  await watchTurns(backplane, ({ turn_id: turnId, status }) => {
    if (status === 'cancelling') runner.cancel(turnId);
    if (isSettled(status)) deliverer.nudge();
  });
  watchProcess({ metrics, database, guard, model, runner });
  let isStopping = false;
  const migrations = await requiredMigrations();
  const readiness = new Readiness(
    { postgres: () => checkDatabase(database, migrations), backplane: () => backplane.ping() },
    { isStopping: () => isStopping },
  );
  const metricsServer =
    config.metricsPort === undefined
      ? null
      : await serveMetrics({ metrics, readiness, port: config.metricsPort, host: config.metricsHost });
  logger.info('Worker ready.', { concurrency: config.concurrency, backplane: backplane.driver });

  const stop = async (): Promise<void> => {
    logger.info('Draining.');
    await Promise.all([runner.drain(config.drainMs), deliverer.drain(config.drainMs)]);
    await metricsServer?.close();
    debugged.close();
    await stopReconciler();
    await dispatcher.settle();
    await model.close();
    await schemas.close();
    secretBox.close();
    masterKeys.close();
    await backplane.close();
    await database.close();
    await tracing.close();
    logger.info('Worker stopped.');
  };
  exitOnSignal({
    logger,
    limitMs: config.drainMs + 5_000,
    onAsked() {
      isStopping = true;
    },
    stop,
  });
  // Whoever is told may send a signal at once.
  process.send?.({ type: 'ready' });
}

// A setting that is wrong is told like everything else that keeps it from starting.
const started = (async () => start(readConfig()))();
started.catch((error: unknown) => {
  process.stderr.write(`${scrub(error instanceof Error ? error.message : String(error))}\n`);
  process.exit(1);
});
