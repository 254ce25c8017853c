import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { CodeTool, Turn } from '@turnpike/contract';
import { readTurnFacts } from '@turnpike/store';
import { Cluster } from '../support/cluster.ts';
import type { Program } from '../support/program.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';

const WORKER = fileURLToPath(new URL('support/worker.mjs', import.meta.url));

let cluster: Cluster;
/** Each test has pools of its own, so that all share a cluster. */
beforeAll(async () => {
  cluster = await Cluster.start({
    workers: 0,
    workerPath: WORKER,
    environment: { JOB_AGE_MS: '500', TOOL_WAIT_MS: '300' },
  });
  // Each turn calls the tool that its input names, and then says what the tool gave it.
  await cluster.control.setScript({
    rules: [
      ...['common', 'old', 'new', 'later'].map((name) => ({
        match: { step: 0, text: `Call ${name}` },
        reply: { tool_uses: [{ name, input: { amount: 3 } }] },
      })),
      { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
    ],
  });
});
afterEach(async () => {
  await Promise.all(cluster.workers.map((worker) => worker.end('SIGKILL')));
});
afterAll(() => cluster.stop());

const start = (pool: string, label: string, tools: string, leaseMs = 30_000): Promise<Program> =>
  cluster.startWorker({
    WORKER_POOL: pool,
    LABEL: label,
    TOOLS: tools,
    TOOL_MS: '20',
    LEASE_MS: String(leaseMs),
  });
const agentWith = async (pool: string, tools: string[], more = {}): Promise<string> => {
  const named = tools.map((name) => ({ type: 'code', name, ...more }));
  const { status, body } = await cluster.request('POST', '/v1/agents', {
    name: 'test',
    model: 'claude-sonnet-4-5',
    tools: named,
    pool,
  });
  if (status !== 201) throw new Error(`The agent was refused: ${JSON.stringify(body)}`);
  return (body as { id: string }).id;
};
const submit = (agentId: string, tool: string): Promise<Turn> => cluster.submit({ agentId }, `Call ${tool}.`);

/** The turns that a worker claimed, by its log. */
const claimedBy = (worker: Program): string[] =>
  worker.lines.flatMap((line) => {
    const { msg, message = msg, turn_id: turnId } = JSON.parse(line) as Record<string, string>;
    return message === 'Turn claimed.' && turnId !== undefined ? [turnId] : [];
  });

test('two pools and two versions side by side: each turn runs where its tools are, and nowhere else', async () => {
  const [v1, v2, gpu] = await Promise.all([
    start('default', 'v1', 'common,old'),
    start('default', 'v2', 'common:2,new'),
    start('gpu', 'gpu', 'common'),
  ]);
  const kinds = [
    { agent: await agentWith('default', ['common']), tool: 'common', on: ['v1', 'v2'] },
    { agent: await agentWith('default', ['common', 'old']), tool: 'old', on: ['v1'] },
    { agent: await agentWith('default', ['common', 'new']), tool: 'new', on: ['v2'] },
    { agent: await agentWith('gpu', ['common']), tool: 'common', on: ['gpu'] },
  ];
  const turns = await Promise.all(
    Array.from({ length: byLength({ short: 40, long: 400 }) }, async (_, number) => {
      const kind = kinds[number % kinds.length];
      if (kind === undefined) throw new Error('There is no such kind.');
      const { id } = await submit(kind.agent, kind.tool);
      return { id, kind };
    }),
  );
  for (const { id, kind } of turns) {
    const turn = await cluster.untilEnded(id);
    expect(turn).toMatchObject({ status: 'completed', attempts: 1 });
    expect(kind.on.map((label) => `${kind.tool} ran on ${label}`)).toContain(turn.output_text);
  }
  for (const [label, worker] of Object.entries({ v1, v2, gpu })) {
    const allowed = new Set(turns.filter(({ kind }) => kind.on.includes(label)).map(({ id }) => id));
    const claimed = claimedBy(worker);
    expect(claimed.length).toBeGreaterThan(0);
    expect(claimed.filter((id) => !allowed.has(id))).toEqual([]);
  }

  const { body } = await cluster.request('GET', '/v1/tools');
  const { items } = body as { items: CodeTool[] };
  expect(items.map(({ name, pools, workers }) => ({ name, pools, workers }))).toEqual(
    expect.arrayContaining([
      { name: 'common', pools: ['default', 'gpu'], workers: 3 },
      { name: 'old', pools: ['default'], workers: 1 },
    ]),
  );
});

test('a rolling deploy under load, with a worker that is killed: no turn fails, and each runs where its tools are', async () => {
  const LEASE_MS = 3_000;
  const old = await Promise.all([
    start('deploy', 'v1a', 'common,old', LEASE_MS),
    start('deploy', 'v1b', 'common,old', LEASE_MS),
  ]);
  const agents = {
    common: await agentWith('deploy', ['common']),
    old: await agentWith('deploy', ['old']),
    new: '',
  };
  const turns: { id: string; tool: 'common' | 'old' | 'new' }[] = [];
  const deploy = { isOver: false };
  const load = (async () => {
    for (let number = 0; !deploy.isOver || number < byLength({ short: 60, long: 600 }); number++) {
      const tool = (['common', 'old', 'new'] as const)[number % 3] ?? 'common';
      if (agents[tool] !== '') turns.push({ id: (await submit(agents[tool], tool)).id, tool });
      await delay(100);
    }
  })();
  await untilTrue('turns run', () => old.some((worker) => claimedBy(worker).length > 0));
  const next = await start('deploy', 'v2a', 'common:2,old,new', LEASE_MS);
  agents.new = await agentWith('deploy', ['new', 'common']);
  await untilTrue('the new version runs turns', () => claimedBy(next).length > 5);
  expect(await old[0].end('SIGTERM')).toBe(0);
  await start('deploy', 'v2b', 'common:2,old,new', LEASE_MS);
  await old[1].end('SIGKILL');
  await untilTrue('turns of the new tool were submitted', () => turns.some(({ tool }) => tool === 'new'));
  deploy.isOver = true;
  await load;

  for (const { id, tool } of turns) {
    const turn = await cluster.untilEnded(id);
    expect([turn.status, turn.error]).toEqual(['completed', null]);
    expect(turn.output_text).toMatch(new RegExp(`^${tool} ran on v${tool === 'new' ? '2' : '[12]'}[ab]$`));
  }
  const ofNew = new Set(turns.filter(({ tool }) => tool === 'new').map(({ id }) => id));
  expect(ofNew.size).toBeGreaterThan(0);
  expect(old.flatMap(claimedBy).filter((id) => ofNew.has(id))).toEqual([]);
});

test('a turn whose tool is nowhere waits, says for what, and runs when a worker with the tool starts', async () => {
  await start('late', 'v1', 'common');
  const refused = await cluster.request('POST', '/v1/agents', {
    name: 'early',
    model: 'm',
    pool: 'late',
    tools: [{ type: 'code', name: 'later' }],
  });
  expect(refused).toMatchObject({
    status: 400,
    body: {
      errors: [
        {
          path: 'tools.0.name',
          message: 'unknown tool later: start a worker whose code defines it first; there are common',
        },
      ],
    },
  });
  const short = await start('late', 'v2', 'common,later');
  const agentId = await agentWith('late', ['common', 'later']);
  await short.end('SIGTERM');
  const [turn, plain] = [
    await submit(agentId, 'later'),
    await submit(await agentWith('late', ['common']), 'common'),
  ];
  await untilTrue(
    'it says what it waits for',
    async () => (await cluster.read(turn.id)).waiting_for !== null,
  );
  expect(await cluster.read(turn.id)).toMatchObject({
    status: 'queued',
    attempts: 0,
    waiting_for: { pool: 'late', tools: ['later'] },
  });
  expect((await cluster.untilEnded(plain.id)).status).toBe('completed');
  await start('late', 'v3', 'later,common');
  const ended = await cluster.untilEnded(turn.id);
  expect(ended).toMatchObject({ status: 'completed', attempts: 1, waiting_for: null });
  expect(ended.output_text).toBe('later ran on v3');
  const facts = await readTurnFacts(cluster.database.pool, turn.id, { after: 0, limit: 3 });
  expect(facts.map(({ fact }) => fact.type)).toEqual([
    'turn.queued',
    'turn.waiting_for_tool',
    'turn.started',
  ]);
});

test('a call that waits for approval is made by a newer version of its tool, also where the input that was accepted no longer fits', async () => {
  const v1 = await start('asked', 'v1', 'common,old');
  const agentId = await agentWith('asked', ['common', 'old'], { requires_approval: true });
  const turns = [await submit(agentId, 'common'), await submit(agentId, 'old')] as const;
  for (const { id } of turns) await cluster.until(id, ['requires_action']);
  await start('asked', 'v2', 'common:2,old:3');
  await v1.end('SIGTERM');
  const outputs = [];
  for (const { id } of turns) {
    const { required_action: action } = await cluster.read(id);
    const outcome = [{ tool_call_id: action?.tool_calls[0]?.id, approved: true }];
    const { status } = await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, {
      tool_outputs: outcome,
    });
    expect(status).toBe(202);
    const { status: ended, output_text: text } = await cluster.untilEnded(id);
    expect(ended).toBe('completed');
    outputs.push(text);
  }
  expect(outputs).toEqual(['common ran on v2', 'old ran on v2 with amount']);
  // The schema holds for what is asked for from now on.
  const fresh = await submit(await agentWith('asked', ['old']), 'old');
  expect((await cluster.untilEnded(fresh.id)).output_text).toMatch(/cents/);
});

test('a worker whose tools are replaced gets turns that name the new ones, and none that name others', async () => {
  const worker = await start('changed', 'v1', 'common,old');
  const [common, old] = [await agentWith('changed', ['common']), await agentWith('changed', ['old'])];
  worker.process.send('common,new');
  const announced = async (): Promise<boolean> => {
    const { body } = await cluster.request('GET', '/v1/tools');
    const { items } = body as { items: CodeTool[] };
    return items.some(({ name, pools }) => name === 'new' && pools.includes('changed'));
  };
  await untilTrue('the new tool is announced', announced);
  const fresh = await agentWith('changed', ['new']);
  const [one, other, none] = [
    await submit(common, 'common'),
    await submit(fresh, 'new'),
    await submit(old, 'old'),
  ];
  expect((await cluster.untilEnded(one.id)).output_text).toBe('common ran on v1');
  expect((await cluster.untilEnded(other.id)).output_text).toBe('new ran on v1');
  await untilTrue('the third waits', async () => (await cluster.read(none.id)).waiting_for !== null);
  expect(await cluster.read(none.id)).toMatchObject({ status: 'queued', attempts: 0 });
});
