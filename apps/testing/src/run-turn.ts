import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { runTurn as runLoop, type ToolRunner } from '@turnpike/agent';
import {
  agentConfigSchema,
  isFinal,
  newId,
  parseAgent,
  submitTurnSchema,
  type CreateAgent,
  type Turn,
} from '@turnpike/contract';
import { createCallGuard, createEgress } from '@turnpike/egress';
import { createModel } from '@turnpike/model';
import { startModelSim } from '@turnpike/model-sim';
import {
  createMcpListStore,
  createMemoryStore,
  createSubAgentStore,
  createTenant,
  expireLeases,
  insertAgent,
  insertTurn,
  readTurn,
} from '@turnpike/store';
import { noTracing, Secret, silentLogger } from '@turnpike/telemetry';
import { createBuiltins, createToolRunner, InputSchemas } from '@turnpike/tools';
import { LeaseKeeper } from '@turnpike/turns';
import { defineAgent, type AgentDefinition, type CodeTool } from '@turnpike/worker';
import { CodeTools, IsolatedTools } from '@turnpike/worker/internal';
import { z } from 'zod';
import { answerWaitingCalls } from './answer-waiting-calls.ts';
import { CrashPlan, WorkerLife } from './crash-points.ts';
import { mortalLease, mortalModel, mortalTool, mortalTools } from './crashing-parts.ts';
import { readTestedTurn } from './read-tested-turn.ts';
import type { Run } from './run.ts';
import type { RunOptions } from './run-options.ts';
import { toScript } from './to-simulator-script.ts';
import type { TestedTurn } from './tested-turn.ts';
import { openTestingDatabase } from './testing-database.ts';

const LIMIT_MS = 30_000;
/** Longer than any test: a lease ends here by a crash, or not at all. */
const LEASE_MS = 600_000;
const MOST_ATTEMPTS = 200;
const LOOPBACK = ['127.0.0.0/8', '::1', 'localhost'];

/**
 * Runs one turn of an agent to its end, as workers do it: each step is committed to a journal before the next begins,
 * and where a worker dies another one continues. Returns how it ended.
 * Throws an `Error` where the turn is not over in time, and where it never comes to a crash that was asked for.
 */
export async function runTurn(options: RunOptions): Promise<TestedTurn> {
  const { agent, tools } = readAgent(options);
  const database = await openTestingDatabase();
  const simulator = await startModelSim(
    options.script === undefined ? {} : { script: toScript(options.script) },
  );
  const model = createModel({
    apiKey: new Secret('sk-ant-simulated'),
    baseUrl: simulator.url,
    egress: { allow: LOOPBACK },
    logger: silentLogger,
  });
  const crashes = options.crash === undefined ? [] : [options.crash].flat();
  const run: Run = {
    database,
    tenantId: await createTenant(database, `test ${randomUUID()}`, { operatorKey: true }),
    turnId: newId('turn'),
    model,
    tools,
    pool: agent.pool,
    secrets: options.secrets ?? {},
    schemas: new InputSchemas(() => undefined),
    isolated: new IsolatedTools(),
    plan: new CrashPlan(crashes),
    thrown: [],
    modelCalls: 0,
    end: performance.now() + (options.timeoutMs ?? LIMIT_MS),
  };
  try {
    await submit(run, agent, options);
    const turn = await runToEnd(run, options);
    const { next, passed } = run.plan;
    if (next !== undefined) {
      throw new Error(`The turn never came to "${next}". It passed:\n  ${passed.join('\n  ')}`);
    }
    return await readTestedTurn(run, turn);
  } finally {
    await run.schemas.close();
    await run.isolated.close();
    await model.close();
    await simulator.close();
  }
}

function readAgent({ agent: given, tools: more = [] }: RunOptions): {
  agent: CreateAgent;
  tools: CodeTool[];
} {
  const agent: AgentDefinition =
    given ?? defineAgent({ name: 'test', model: 'claude-haiku-5-5', tools: [...more] });
  const tools = [...new Set([...agent.tools, ...more])];
  const parsed = parseAgent(agent.body);
  if (!parsed.success) throw parsed.error;
  const { body } = parsed.data;
  const subAgent = body.tools.find((tool) => tool.type === 'agent');
  if (subAgent !== undefined) {
    throw new TypeError(`runTurn runs one agent: leave out ${subAgent.name}, or put a tool in its place.`);
  }
  return { agent: body, tools };
}

async function submit(
  { database: { pool }, tenantId, turnId }: Run,
  { name, metadata, ...agent }: CreateAgent,
  { input, metadata: labels = {} }: RunOptions,
): Promise<void> {
  const config = agentConfigSchema.parse(agent);
  const { id: agentId } = await insertAgent(pool, {
    id: newId('agent'),
    tenantId,
    name,
    metadata: metadata ?? {},
    config,
  });
  const submitted = submitTurnSchema.parse({ input, metadata: labels });
  const { input: _, ...fields } = submitted;
  const accepted = await insertTurn(pool, {
    id: turnId,
    tenantId,
    sessionId: newId('session'),
    messageId: newId('message'),
    eventId: newId('event'),
    input: [{ type: 'text', text: input }],
    submitted: fields,
    deadlineMs: LEASE_MS,
    agentId,
    sessionMetadata: {},
  });
  if (accepted.turn === null) throw new Error(`The turn was not accepted: ${accepted.refusal}.`);
}

async function runToEnd(run: Run, options: RunOptions): Promise<Turn> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const turn = await read(run);
    if (isFinal(turn.status)) return turn;
    if (turn.status === 'requires_action') {
      if (options.answer === undefined) return turn;
      await answerWaitingCalls(run, turn, options.answer);
      continue;
    }
    await liveOnce(run);
  }
  throw new Error(`The turn did not end in ${MOST_ATTEMPTS} attempts.`);
}

/** One worker: claims the turn and runs it, to its end or to the worker's. */
async function liveOnce(run: Run): Promise<void> {
  const { database, turnId } = run;
  const keeper = new LeaseKeeper({
    database,
    workerId: `testing-${randomUUID()}`,
    concurrency: 1,
    leaseMs: LEASE_MS,
    runs: { pool: run.pool, codeTools: run.tools.map(({ name }) => name), queue: 'testing' },
    onListenerError: () => undefined,
  });
  try {
    const lease = await keeper.claim({ turnId, epoch: await dispatch(run), jobNumber: 0 });
    if (lease === null) throw new Error('The turn could not be claimed.');
    let die: (how: 'dead') => void = () => undefined;
    const death = new Promise<'dead'>((resolve) => {
      die = resolve;
    });
    const life = new WorkerLife(run.plan, () => die('dead'));
    const work = runLoop(mortalLease(lease, life), {
      model: mortalModel(run.model, life, () => {
        run.modelCalls += 1;
      }),
      tools: mortalTools(openTools(run, life), life),
      outputs: {
        explain: (tenantId, schema, value) => run.schemas.explainOutput(tenantId, schema, value),
      },
      logger: silentLogger,
      traceparent: null,
      logsContent: () => false,
    });
    const limit = new AbortController();
    const late = delay(Math.max(0, run.end - performance.now()), 'late' as const, { signal: limit.signal });
    late.catch(() => undefined);
    const how = await Promise.race([work.then(() => 'done' as const), death, late]).finally(() =>
      limit.abort(),
    );
    if (how === 'done') return;
    // Its timers end. What a dead worker still runs is not told; what is late is stopped.
    lease.lose();
    work.catch(() => undefined);
    if (how === 'dead') {
      await expireLease(run);
      return;
    }
    const { passed } = run.plan;
    throw new Error(`The turn was not over in time. It passed:\n  ${passed.join('\n  ')}`);
  } finally {
    keeper.close();
  }
}

function openTools(run: Run, life: WorkerLife): ToolRunner {
  const { database, secrets, thrown, schemas, isolated } = run;
  const egress = createEgress({ allow: LOOPBACK });
  const guard = createCallGuard({ slots: 100, maxWaiting: 100, maxWaitMs: 1_000 });
  const code = new CodeTools(
    run.tools.map((tool) => mortalTool(tool, life, thrown)),
    {
      guard,
      isolated,
      readSecret(_tenantId, name) {
        const value = secrets[name];
        return Promise.resolve(value === undefined ? null : { value, allowedHosts: null });
      },
      send: (url, init) => fetch(url, { ...init, redirect: 'manual' }),
      logger: silentLogger,
      tracing: noTracing,
    },
  );
  return createToolRunner({
    builtins: createBuiltins({ egress }),
    findCode: code.find,
    egress,
    guard,
    secrets: {
      read: () => Promise.resolve(null),
      open: () => Promise.reject(new Error('A test has no HTTP tools.')),
    },
    memory: createMemoryStore(database),
    subAgents: createSubAgentStore(database),
    // Through no guard of addresses: it is the developer's own machine.
    mcp: { fetch, lists: createMcpListStore(database) },
    logger: silentLogger,
    schemas,
  });
}

async function read({ database: { pool }, tenantId, turnId }: Run): Promise<Turn> {
  const turn = await readTurn(pool, tenantId, turnId);
  if (turn === null) throw new Error('The turn is gone.');
  return turn;
}

const epochSchema = z.object({ epoch: z.int() });

/** What the dispatcher does, at once: a turn that was to wait for a while waits no longer. */
async function dispatch({ database: { pool }, turnId }: Run): Promise<number> {
  const { rows } = await pool.query('UPDATE turns SET dispatched_at = now() WHERE id = $1 RETURNING epoch', [
    turnId,
  ]);
  return epochSchema.parse(rows[0]).epoch;
}

/** What the passing of the lease's time does, and the reconciler then. */
async function expireLease({ database: { pool }, turnId }: Run): Promise<void> {
  // Where the worker died right after the turn's last commit, there is no lease any more.
  await pool.query(
    `UPDATE turns SET leased_until = now() - interval '1 second' WHERE id = $1 AND leased_until IS NOT NULL`,
    [turnId],
  );
  await expireLeases(pool, { limit: 50, maxLostLeases: MOST_ATTEMPTS });
}
