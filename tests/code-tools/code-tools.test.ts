import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { followTurn } from './support/follow-turn.ts';
import { startCodeCluster, type CodeCluster } from './support/code-cluster.ts';

let code: CodeCluster;
beforeAll(async () => {
  code = await startCodeCluster();
});
afterAll(() => code.stop());

test('a tool gets its call: ids, labels, deadline and secrets, and its output hides the secrets', async () => {
  const turn = await code.run(
    'show_call',
    {},
    { metadata: { order: '7' }, session_metadata: { customer: 'c-1' } },
  );
  expect(turn.status).toBe('completed');
  const shown = JSON.parse(turn.output_text ?? '') as { seconds: number };
  expect(shown).toEqual({
    key: true,
    ids: ['turn', 'sess', 'ten'],
    metadata: { turn: { order: '7' }, session: { customer: 'c-1' } },
    attempt: 1,
    seconds: expect.any(Number),
    secret: '[secret]',
  });
  // What is left of its thirty seconds, however long it took to reach the tool.
  expect(shown.seconds).toBeGreaterThan(0);
  expect(shown.seconds).toBeLessThanOrEqual(30);
});

test('content blocks reach the model as they are, and an output that does not fit its schema does not', async () => {
  const blocks = await code.run('blocks');
  expect(blocks.status).toBe('completed');
  const call = await code.callOf(blocks.id);
  expect(call.output?.map(({ type }) => type)).toEqual(['text', 'image']);
  expect((await code.run('typed')).output_text).toBe('{"sum":4}');
  expect((await code.run('typed', { text: 'wrong' })).output_text).toContain('does not fit its schema');
});

test.each([
  ['throw a string', 'just text'],
  ['throw', 'The shop is closed.'],
  ['tool error', 'There is no such customer.'],
  ['return a function', 'is no JSON value'],
  ['return a circle', 'is no JSON value'],
  ['step twice', 'the step "one" is there twice'],
  ['await nothing', 'returned early'],
  ['write', 'wrote'],
  ['exit', 'called process.exit(), which tools may not'],
  ['leak a rejection', 'leaked'],
  ['large', '[truncated: 64,000 of 1,000,000 characters]'],
  ['large step', 'has more than 65536 bytes'],
  ['throw what cannot be read', 'failed without a message'],
  ['throw an error that cannot be read', 'failed without a message'],
  ['fail a step with what cannot be read', 'failed without a message'],
  ['let escape what cannot be read', 'escaped'],
  ['begin a step in a step', 'the step "inner" is begun inside of the step "outer"'],
  ['ask in a step', 'the question "answer" is asked inside of the step "outer"'],
  ['ask without a schema', 'a question needs a text and a schema: schema must be a schema'],
  ['odd progress', 'Progress is a text, or a number from 0 to 1.'],
])('a tool that would %s has a documented end, and its worker lives on', async (how, told) => {
  const turn = await code.run('bad_use', { how });
  // The simulator repeats what it is told, up to the agent's `max_tokens`.
  expect(turn.status).toBe(how === 'large' ? 'incomplete' : 'completed');
  expect(JSON.stringify((await code.callOf(turn.id)).output)).toContain(JSON.stringify(told).slice(1, -1));
  const [worker] = code.cluster.workers;
  expect(worker?.process.exitCode).toBeNull();
});

test('a secret is in nothing that is kept, shown or logged, whatever a tool does with it', async () => {
  const ways = [
    'text',
    'blocks',
    'document',
    'media',
    'error',
    'step name',
    'step error',
    'step result',
    'say',
  ];
  const ended = [];
  for (const how of ways) ended.push(await code.run('leak', { how }));
  const { id: asking } = await code.call('leak', { how: 'question' });
  const waiting = await code.cluster.until(asking, ['requires_action']);
  expect(waiting.required_action?.tool_calls[0]?.question?.text).toBe('Use [secret]?');
  const { rows } = await code.cluster.database.pool.query(
    `SELECT kind, count(*)::int AS rows, count(*) FILTER (WHERE said ~ $1)::int AS leaks FROM (
       SELECT 'call' AS kind, tool_calls::text AS said FROM tool_calls UNION ALL
       SELECT 'step', tool_steps::text FROM tool_steps UNION ALL
       SELECT 'message', messages::text FROM messages UNION ALL
       SELECT 'event', events::text FROM events UNION ALL
       SELECT 'turn', turns::text FROM turns) AS everything
     GROUP BY kind HAVING count(*) FILTER (WHERE said ~ $1) > 0`,
    [`crm-secret|${Buffer.from('crm-secret').toString('hex')}|Y3JtLXNlY3Jl|NybS1zZWNyZX|jcm0tc2VjcmV0`],
  );
  expect(rows).toEqual([]);
  expect(ended.map(({ status }) => status)).toEqual(ways.map(() => 'completed'));
  const lines = code.cluster.workers.flatMap(({ lines: all }) => all);
  expect(lines.filter((line) => line.includes('written: [secret]'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('crm-secret'))).toEqual([]);
});

test('what a tool writes to the console is a log line of its call, and what it lets escape is logged under its name', async () => {
  await code.run('bad_use', { how: 'write' });
  await code.run('bad_use', { how: 'leak a rejection' });
  const lines = code.cluster.workers.flatMap(({ lines: all }) => all);
  const said = lines.find((line) => line.includes('logged by a tool'));
  expect(JSON.parse(said ?? '{}')).toMatchObject({
    level: 'info',
    tool: 'bad_use',
    turn_id: expect.any(String),
  });
  expect(lines.filter((line) => line.includes('A tool let an error escape.')).length).toBeGreaterThanOrEqual(
    2,
  );
});

test('a run that does not await its steps waits for them', async () => {
  const before = code.server.count('/late');
  const turn = await code.run('bad_use', { how: 'await nothing' });
  expect(code.server.count('/late')).toBe(before + 1);
  expect((await code.callOf(turn.id)).steps).toMatchObject([{ name: 'slow', status: 'completed' }]);
});

test('steps that still run when the tool throws have their outcome before the call has its own', async () => {
  const turn = await code.run('bad_use', { how: 'throw beside a step' });
  const { output, steps } = await code.callOf(turn.id);
  expect(JSON.stringify(output)).toContain('Too quick.');
  expect(steps.map(({ name, status }) => `${name} ${status}`).toSorted()).toEqual([
    'quick failed',
    'slow completed',
  ]);
  const { body } = await code.cluster.request('GET', `/v1/turns/${turn.id}/events`, undefined, {
    accept: 'application/json',
  });
  const types = (body as { items: { type: string }[] }).items.map(({ type }) => type);
  expect(types.lastIndexOf('tool.step_completed')).toBeLessThan(types.indexOf('tool.completed'));
});

test('a call that never returns ends at its time: as an error where it may be repeated, as unknown where not', async () => {
  expect((await code.run('hang')).output_text).toContain('hang timed out: no result within 300 ms.');
  const once = await code.run('hang_once');
  expect(once.output_text).toContain('It is not known whether this call took effect');
  expect((await code.callOf(once.id)).status).toBe('unknown');
});

test('a tool asks to be called later, fails its turn, or says that it does not know', async () => {
  const later = await code.run('later');
  expect(later.output_text).toBe('attempt 3');
  expect((await code.callOf(later.id)).attempts).toBe(3);
  const failed = await code.run('fail_turn');
  expect(failed).toMatchObject({
    status: 'failed',
    error: { code: 'tool_failed_turn', message: 'The account is closed.' },
  });
  expect((await code.run('unknown')).output_text).toContain('It is not known');
});

test('a request that acts once and gets no response is unknown, not an error to try again', async () => {
  const turn = await code.run('lost_answer');
  expect((await code.callOf(turn.id)).status).toBe('unknown');
  expect(code.server.count('/cut')).toBe(1);
});

test('the tool itself says which calls a person must approve', async () => {
  expect((await code.run('ask_approval', { text: 'safe' })).output_text).toBe('did safe');
  const { id } = await code.call('ask_approval', { text: 'dangerous' });
  const waiting = await code.cluster.until(id, ['requires_action']);
  expect(waiting.required_action?.tool_calls).toMatchObject([{ name: 'ask_approval', awaiting: 'approval' }]);
  expect(await code.answer(waiting, { approved: true })).toBe(202);
  expect((await code.cluster.untilEnded(id)).output_text).toBe('did dangerous');
});

test('progress is shown live, a few times a second, and is not kept', async () => {
  const { id } = await code.call('progress');
  const seen = await followTurn(code.cluster, id);
  const shown = seen.filter(({ type }) => type === 'tool.progress');
  expect(shown.length).toBeGreaterThanOrEqual(2);
  expect(shown.length).toBeLessThanOrEqual(8);
  expect(shown.at(-1)).toMatchObject({ progress: 'nearly done' });
  const { body } = await code.cluster.request('GET', `/v1/turns/${id}/events`, undefined, {
    accept: 'application/json',
  });
  expect(JSON.stringify(body)).not.toContain('tool.progress');
});

test('an input that the schema refuses is explained to the model', async () => {
  expect((await code.run('ask_approval', { text: 7 })).output_text).toContain('The input is not valid: text');
});
