import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { startCodeCluster, type CodeCluster } from './support/code-cluster.ts';

let code: CodeCluster;
beforeAll(async () => {
  code = await startCodeCluster(1, { LEASE_MS: '30000' }, 'isolated-worker.mjs');
});
afterAll(() => code.stop());

test('an isolated tool that loops for ever is ended at its time, and other turns go on meanwhile', async () => {
  const { id: spinning } = await code.call('spin');
  await untilTrue('it spins', async () => {
    const { rows } = await code.cluster.database.pool.query(
      `SELECT 1 FROM tool_calls WHERE turn_id = $1 AND status = 'started'`,
      [spinning],
    );
    return rows.length === 1;
  });
  const other = await code.run('short');
  const spun = await code.cluster.untilEnded(spinning);
  expect(spun.output_text).toContain('spin timed out: no result within 8000 ms.');
  expect(spun.attempts).toBe(1);
  expect(Date.parse(other.finished_at ?? '')).toBeLessThan(Date.parse(spun.finished_at ?? ''));
  const once = await code.run('spin_once');
  expect((await code.callOf(once.id)).status).toBe('unknown');
});

test('a tool that is not isolated and holds the event loop is named in the log, with where it was', async () => {
  let line: string | undefined;
  // A machine that has much else to do takes longer to look.
  for (let ms = 2_000; line === undefined && ms <= 16_000; ms *= 2) {
    expect((await code.run('hold_loop', { how: String(ms) })).output_text).toBe('spun');
    line = code.cluster.workers[0]?.lines.find((each) => each.includes('"tool":"hold_loop","tool_call_id"'));
  }
  const said = JSON.parse(line ?? '{}') as Record<string, unknown>;
  expect(said).toMatchObject({
    level: 'error',
    service: 'worker',
    message: expect.stringContaining('The event loop is held'),
  });
  expect(JSON.stringify(said['at'])).toContain('spinFor');
});

test('an isolated tool that takes too much memory, or ends its thread, is an error, and the worker lives on', async () => {
  expect((await code.run('hoard')).output_text).toContain('used more than its 128 MiB of memory');
  expect((await code.run('isolated', { how: 'exit' })).output_text).toContain(
    'isolated ended its own thread.',
  );
  expect(code.cluster.workers[0]?.process.exitCode).toBeNull();
});

test('an isolated tool has its call as any other has it: steps, questions, errors, secrets, log', async () => {
  const turn = await code.run('isolated');
  expect(JSON.parse(turn.output_text ?? '')).toMatchObject({ answer: null, attempt: 1, secret: '[secret]' });
  expect((await code.callOf(turn.id)).steps).toMatchObject([
    { name: 'one', effect: 'once', status: 'completed' },
  ]);
  expect((await code.run('isolated', { how: 'throw' })).output_text).toBe('From a thread.');
  expect((await code.run('isolated', { how: 'later' })).output_text).toContain('"attempt":2');
  const said = code.cluster.workers[0]?.lines.find((line) => line.includes('logged in a thread'));
  expect(JSON.parse(said ?? '{}')).toMatchObject({ tool: 'isolated', level: 'info' });

  const { id } = await code.call('isolated', { how: 'ask' });
  const waiting = await code.cluster.until(id, ['requires_action']);
  const steps = (await code.callOf(id)).steps.length;
  expect(steps).toBe(1);
  expect(await code.answer(waiting, { answer: { go: false } })).toBe(202);
  const again = await code.cluster.until(id, ['requires_action']);
  expect(again.required_action?.tool_calls[0]?.question?.text).toContain('must go');
  expect(await code.answer(again, { answer: { go: true } })).toBe(202);
  const ended = await code.cluster.untilEnded(id);
  expect(JSON.parse(ended.output_text ?? '')).toMatchObject({ answer: { go: true }, attempt: 3 });
});

test.each([
  ['await nothing', 'returned early'],
  ['let escape', 'lived on'],
  ['log', 'logged'],
  ['flood', 'flooded'],
  ['ask in a step', 'is asked inside of the step "outer"'],
])('an isolated tool that would %s ends as one that is not', async (how, told) => {
  const turn = await code.run('isolated', { how });
  expect(turn.output_text).toContain(told);
  expect((await code.callOf(turn.id)).status).toBe('completed');
  const lines = code.cluster.workers.flatMap(({ lines: all }) => all);
  expect(lines.filter((line) => line.includes('crm-secret'))).toEqual([]);
  const said = lines.filter((line) => line.includes('"message":"said '));
  expect(said.length).toBeLessThan(500);
});

test('what the code of a call does after its end is not done for the next call in its thread', async () => {
  const late = await code.run('isolated', { how: 'go on' });
  const next = await code.run('isolated', { how: 'wait' });
  expect([late.output_text, next.output_text]).toEqual(['returned', 'waited']);
  expect(await Promise.all([late, next].map(async ({ id }) => (await code.callOf(id)).steps))).toEqual([
    [],
    [],
  ]);
  expect(code.server.count('/late')).toBe(0);
});
