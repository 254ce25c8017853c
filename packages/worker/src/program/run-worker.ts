import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import { isSettled } from '@turnpike/contract';
import { composeNotification } from '@turnpike/dialect-a2a';
import { composeWebhookEvent } from '@turnpike/dialect-openai';
import { openRuntime } from '@turnpike/runtime';
import { listDebuggedTenants, runPasses } from '@turnpike/store';
import { watchTurns } from '@turnpike/turns';
import { Deliverer } from '@turnpike/webhooks';
import { guardProcess } from '../code/guard-process.ts';
import type { McpServerDefinition } from '../define-mcp-server.ts';
import type { CodeTool } from '../define-tool.ts';
import type { RunningWorker } from '../running-worker.ts';
import { watchLoop } from '../watchdog/watch-loop.ts';
import { WorkerAnnouncement } from './announce-worker.ts';
import { describeWorker, findPackageVersion } from './announced-tools.ts';
import { withBatches } from './batched-calls.ts';
import { BatchCollector } from './collect-batches.ts';
import { readConfig } from './config.ts';
import { DebuggedTenants } from './debugged-tenants.ts';
import { openModel } from './open-model.ts';
import { openTools } from './open-tools.ts';
import { TurnRunner } from './run-turns.ts';
import { createTurnMetrics } from './turn-metrics.ts';
import { watchProcess } from './watch-process.ts';

/** After a drain: for closing connections. */
const CLOSE_MS = 5_000;

/** Runs the worker. Throws for settings that can never work. */
export async function runWorker(
  given: readonly CodeTool[],
  {
    mcpServers = [],
    ...named
  }: {
    pool?: string | undefined;
    version?: string | undefined;
    mcpServers?: readonly McpServerDefinition[];
  } = {},
): Promise<RunningWorker> {
  let tools = given;
  const config = readConfig();
  guardProcess();
  const pool = named.pool ?? config.pool;
  const version = named.version ?? findPackageVersion(process.argv[1] ?? '');
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const runtime = await openRuntime('worker', config, { worker_id: workerId });
  const { logger, warn, metrics, tracing, database, secretBox, backplane, dispatcher } = runtime;

  const announcement = new WorkerAnnouncement(database, warn);
  const turnMetrics = createTurnMetrics(metrics);
  const model = openModel(runtime, config, turnMetrics);
  const opened = openTools(runtime, config, tools, mcpServers);
  await opened.isolated.check(tools);
  let become = (): void => undefined;
  await opened.mcpServers.start(() => {
    opened.code.replaceMcp(new Map(opened.mcpServers.tools.map((tool) => [tool.name, tool.given])));
    become();
  });
  const { runs, build } = describeWorker(pool, version, tools, opened.mcpServers.tools);
  await announcement.announce(build);
  const debugged = new DebuggedTenants(
    () => listDebuggedTenants(database.pool),
    warn('The tenants whose turns may be logged could not be read.'),
  );
  const runner = new TurnRunner({
    database,
    backplane,
    dispatcher,
    model: withBatches(model, { database, windowMs: config.modelBatches.windowMs }),
    tools: opened.runner,
    outputs: opened.outputs,
    logsContent: (tenantId) => debugged.has(tenantId),
    logger,
    metrics,
    turnMetrics,
    tracing,
    workerId,
    concurrency: config.concurrency,
    leaseMs: config.leaseMs,
    runs,
    build: build.id,
  });
  become = () => {
    const next = describeWorker(pool, version, tools, opened.mcpServers.tools);
    void announcement.announce(next.build).then(() => runner.become(next.runs, next.build.id));
  };
  const collector = new BatchCollector(
    { database, model, dispatcher, logger, batches: metrics.counter('turnpike_model_batches_total') },
    config.modelBatches,
  );
  const collecting = runPasses({
    everyMs: config.reconcileEveryMs,
    onError: warn('Batches of model calls could not be collected; it is tried again.'),
    pass: () => collector.pass(),
  });
  const deliverer = new Deliverer(
    {
      database,
      backplane,
      secretBox,
      logger,
      metrics,
      tracing,
      composeNotification,
      composeOpenAIEvent: composeWebhookEvent,
    },
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
  watchProcess({ metrics, database, guard: opened.guard, model, runner });
  const stopWatching = watchLoop(metrics, {
    leaseMs: config.leaseMs,
    fields: { service: 'worker', worker_id: workerId },
  });
  await runtime.serveMetrics();
  logger.info('Worker ready.', {
    pool,
    concurrency: config.concurrency,
    backplane: backplane.driver,
    tools: tools.map(({ name }) => name),
  });

  runtime.ready({
    hello: { type: 'ready' },
    shutdownMs: config.drainMs + CLOSE_MS,
    async stop() {
      logger.info('Draining.');
      await Promise.all([runner.drain(config.drainMs), deliverer.drain(config.drainMs)]);
      await collecting.stop();
      await stopWatching();
      debugged.close();
      announcement.close();
      await model.close();
      await opened.close();
    },
  });
  return {
    replaceTools(changed) {
      opened.code.replace(changed);
      tools = changed;
      become();
    },
    retire: () => runner.retire(),
  };
}
