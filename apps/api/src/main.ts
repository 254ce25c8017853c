import { createSecureUrlCheck } from '@turnpike/egress';
import { openRuntime, runProgram } from '@turnpike/runtime';
import { recordKeyUse } from '@turnpike/store';
import { openReplica } from './open-replica.ts';
import { InputSchemas } from '@turnpike/tools';
import { watchTurns } from '@turnpike/turns';
import { BodyMemory } from './body-memory.ts';
import { readConfig } from './config.ts';
import { createApi } from './create-api.ts';
import { KeyUses } from './key-uses.ts';
import { serveHttp } from './serve-http.ts';
import { EventStreams } from './streams/event-streams.ts';
import { TurnWaiters } from './turn-waiters.ts';
import { watchProcess } from './watch-process.ts';

async function start(): Promise<void> {
  const config = readConfig();
  const runtime = await openRuntime('api', config);
  const { logger, warn, metrics, tracing, database, secretBox, backplane, dispatcher, files, readiness } =
    runtime;

  const waiters = new TurnWaiters();
  const streams = new EventStreams(
    backplane.live,
    config.streams,
    warn('An event stream failed and will read again.'),
  );
  await watchTurns(backplane, ({ turn_id: turnId }) => {
    waiters.wake(turnId);
    streams.wake(turnId);
  });
  backplane.onReconnect(() => {
    waiters.wakeAll();
    streams.wakeAll();
  });

  const inputSchemas = new InputSchemas(warn('The schema of a tool could not be checked.'));
  const keyUses = new KeyUses(
    (ids) => recordKeyUse(database.pool, ids),
    warn('The use of API keys could not be recorded.'),
  );
  const bodies = new BodyMemory({
    maxBytes: config.maxBodyBytes,
    maxBytesInFlight: config.maxBodyBytesInFlight,
  });
  const replica = openReplica(config, {
    database,
    metrics,
    onError: warn('A read replica failed; the primary is read.'),
  });
  watchProcess({ metrics, database, backplane, waiters, streams, bodies });

  const app = createApi(
    {
      database,
      replica,
      backplane,
      dispatcher,
      files,
      waiters,
      streams,
      secretBox,
      keyUses,
      inputSchemas,
      modelBetas: config.modelBetas,
      nudgeBatches: (tenantId) => runtime.nudgeBatches(tenantId),
      nudgeSchedules: () => runtime.nudgeSchedules(),
      checkPublicUrl: createSecureUrlCheck({ allow: config.egressAllow }),
      reportError: (error, about) => logger.warn('Work for a request failed.', { ...about, error }),
    },
    {
      logger,
      metrics,
      tracing,
      bodies,
      maxBodyBytes: config.maxBodyBytes,
      corsOrigins: config.corsOrigins,
      console: config.console,
      dialects: config.dialects,
      dialectWaitMs: config.dialectWaitMs,
      loggedRequests: config.loggedRequests,
      trustProxy: config.trustProxy,
      readiness,
    },
  );
  const metricsPort = await runtime.serveMetrics();
  const server = await serveHttp(app, { ...config, logger, isStopping: () => runtime.isStopping() });
  logger.info('API listening.', {
    host: config.host,
    port: server.port,
    backplane: backplane.driver,
    metrics_port: metricsPort,
  });

  runtime.ready({
    hello: { type: 'listening', port: server.port },
    shutdownDelayMs: config.shutdownDelayMs,
    shutdownMs: config.shutdownMs,
    async stop() {
      const closed = server.close();
      waiters.close();
      streams.close();
      await closed;
      await keyUses.close();
      await inputSchemas.close();
      await replica?.close();
    },
  });
}

runProgram(start);
