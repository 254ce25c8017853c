import { openBackplane } from '@turnpike/backplane';
import { openFiles } from '@turnpike/files';
import {
  checkDatabase,
  checkSettings,
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
  serveMetrics,
  type LogFields,
} from '@turnpike/telemetry';
import { BatchFeeder, Dispatcher, runBatches, ScheduleRunner, type RunningBatches } from '@turnpike/turns';
import { openMasterKeys } from './open-master-keys.ts';
import { runReconciler } from './run-reconciler.ts';
import { runSchedules } from './run-schedules.ts';
import type { Runtime } from './runtime.ts';
import type { RuntimeSettings } from './settings.ts';

/** A pass over files for so many of the reconciler. */
const FILES_PASS_EVERY = 5;

/**
 * Opens everything that a program needs before its own work: logs, metrics, traces, the database, the master keys,
 * the backplane, the dispatcher and the reconciler. `fields` are on every log line. A database or a Redis that is
 * away is reported and waited for; throws for settings that can never work.
 */
export async function openRuntime(
  service: 'api' | 'worker',
  settings: RuntimeSettings,
  fields: LogFields = {},
): Promise<Runtime> {
  const logger = createLogger({ service, level: settings.logLevel, format: settings.logFormat }).child(
    fields,
  );
  exitOnCrash(logger);
  const warn = reportSparingly((message, more) => logger.warn(message, more));
  const metrics = createMetrics(service, warn('A metric could not be read.'));
  const tracing = await openTracing(settings.tracing, service, warn('Traces could not be sent.'));

  const database = openDatabase({
    url: settings.databaseUrl,
    poolSize: settings.databasePoolSize,
    applicationName: `turnpike-${service}`,
    onError: warn('A database connection broke.'),
  });
  await checkSettings(database, warn('The database does not respond yet.'));
  const masterKeys = await openMasterKeys(settings.keys, warn);
  const secretBox = openSecretBox(database, masterKeys);
  const backplane = await openBackplane({
    url: settings.backplaneUrl,
    prefix: settings.backplanePrefix,
    redis: settings.redis,
    onError: warn('Backplane error.'),
    onUnusable(error) {
      logger.error('The backplane cannot be used.', { error });
      process.exit(1);
    },
  });

  let batches: RunningBatches | null = null;
  const dispatcher = new Dispatcher({
    database,
    backplane,
    onError: warn('A dispatch failed and will be retried.'),
    onDispatched: (tenantIds) => batches?.turnsChanged(tenantIds),
  });
  const parts = { database, backplane, dispatcher };
  const files = await openFiles(database, settings.files, warn);
  files.upkeep.start(settings.reconcileEveryMs * FILES_PASS_EVERY);
  const batchLines = metrics.counter('turnpike_batch_lines_total');
  const failedLater = warn('What follows a commit failed; the reconciler repairs it.');
  const reportError = (error: unknown, about: Record<string, string>): void => void failedLater(error, about);
  const feeder = (batches = runBatches({
    feeder: new BatchFeeder({ ...parts, reportError }),
    everyMs: settings.reconcileEveryMs,
    onFed({ started, ended }) {
      batchLines.inc({ outcome: 'started' }, started);
      for (const [outcome, lines] of Object.entries(ended)) batchLines.inc({ outcome }, lines);
    },
    onError: warn('Batches could not be fed; the next pass continues.'),
  }));
  const schedules = runSchedules({
    runner: new ScheduleRunner({ ...parts, reportError }),
    everyMs: settings.reconcileEveryMs,
    metrics,
    warn,
  });
  const stopReconciler = runReconciler({ parts, settings, logger, metrics, warn });

  let isStopping = false;
  const migrations = await requiredMigrations();
  const readiness = new Readiness(
    { postgres: () => checkDatabase(database, migrations), backplane: () => backplane.ping() },
    { isStopping: () => isStopping },
  );
  let metricsServer: { port: number; close(): Promise<void> } | null = null;

  const close = async (): Promise<void> => {
    await metricsServer?.close();
    await feeder.stop();
    await schedules.stop();
    await stopReconciler();
    await files.close();
    await dispatcher.settle();
    secretBox.close();
    masterKeys.close();
    await backplane.close();
    await database.close();
    await tracing.close();
  };

  return {
    logger,
    warn,
    metrics,
    tracing,
    database,
    secretBox,
    backplane,
    dispatcher,
    files,
    nudgeBatches: (tenantId) => feeder.nudge(tenantId),
    nudgeSchedules: () => schedules.nudge(),
    readiness,
    isStopping: () => isStopping,
    async serveMetrics() {
      const { metricsPort: port, metricsHost: host } = settings;
      if (port === undefined) return null;
      metricsServer = await serveMetrics({ metrics, readiness, port, host });
      return metricsServer.port;
    },
    ready({ hello, shutdownDelayMs = 0, shutdownMs, stop }) {
      exitOnSignal({
        logger,
        delayMs: shutdownDelayMs,
        limitMs: shutdownMs,
        onSignal() {
          isStopping = true;
        },
        async stop() {
          logger.info('Stopping.');
          await stop();
          await close();
          logger.info('Stopped.');
        },
      });
      process.send?.(hello);
    },
  };
}
