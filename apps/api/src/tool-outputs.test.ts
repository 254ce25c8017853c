import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { UNKNOWN_OUTCOME, type Awaiting } from '@turnpike/contract';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { turnThatWaitsFor } from './testing/waiting-turn.ts';

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  agentId = (await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body.id;
});
afterAll(() => api.stop());

const waitsFor = (waits: readonly Awaiting[]) => turnThatWaitsFor(api, api.client, agentId, waits);

const send = (turn: { id: string }, tool_outputs: object[]) =>
  api.client.http.post(`/v1/turns/${turn.id}/tool_outputs`).send({ tool_outputs });

const rowsOf = async (turn: { id: string }) =>
  (
    await api.database.pool.query(
      'SELECT id, status, awaiting, output, is_error FROM tool_calls WHERE turn_id = $1 ORDER BY position',
      [turn.id],
    )
  ).rows;

const repeats = async (turn: { id: string }) =>
  (await api.client.http.get('/v1/audit_entries?action=tool_call.sent_again').expect(200)).body.items.filter(
    (entry: { subject: string }) => entry.subject === turn.id,
  );

/** Each kind of tool output, its distinguishing field, and the kinds of call that accept it. */
const ANSWERS: [object, string, Awaiting[]][] = [
  [{ output: 'Paid.' }, 'output', ['output', 'outcome']],
  [{ output: [{ type: 'text', text: 'Paid.' }], is_error: true }, 'output', ['output', 'outcome']],
  [{ approved: true }, 'approved', ['approval']],
  [{ approved: false }, 'approved', ['approval']],
  [{ approved: false, reason: 'Too dear.' }, 'approved', ['approval']],
  [{ outcome: 'unknown' }, 'outcome', ['outcome']],
  [{ send_again: true }, 'send_again', ['outcome']],
];

test.each(['approval', 'output', 'outcome'] as const)(
  'a call that waits for an %s accepts outputs of that kind, and refuses others with the path of the issue',
  async (awaiting) => {
    for (const [given, field, takers] of ANSWERS) {
      const turn = await waitsFor([awaiting, awaiting]);
      const [first, second] = turn.calls;
      const before = await rowsOf(turn);
      const { status, body } = await send(turn, [{ tool_call_id: first, ...given }]);
      if (takers.includes(awaiting)) {
        expect([given, status]).toEqual([given, 202]);
        expect(body.required_action.tool_calls).toMatchObject([{ id: second, awaiting }]);
        continue;
      }
      expect([given, status, body.code, body.errors]).toEqual([
        given,
        400,
        'invalid_request',
        [{ path: `tool_outputs.0.${field}`, message: expect.stringContaining('the call w') }],
      ]);
      expect(await rowsOf(turn)).toEqual(before);
      expect(await repeats(turn)).toEqual([]);
    }
  },
);

test.each([
  ['an approval with a reason', { approved: true, reason: 'Because.' }],
  ['an approval and an output', { approved: true, output: 'x' }],
  ['a second call and an output', { send_again: true, output: 'x' }],
  ['a second call that is not wanted', { send_again: false }],
  ['an outcome that is no word for one', { outcome: 'failed' }],
  ['an error that is no output', { outcome: 'unknown', is_error: true }],
  ['nothing', {}],
])('%s is refused as a tool output', async (_, given) => {
  const turn = await waitsFor(['outcome']);
  const { status, body } = await send(turn, [{ tool_call_id: turn.calls[0], ...given }]);
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  expect(body.errors[0].path).toMatch(/^tool_outputs\.0/);
});

test('of several outputs none is accepted where one is refused, whatever its index', async () => {
  const turn = await waitsFor(['approval', 'output', 'outcome']);
  const [approval, output, outcome] = turn.calls;
  const before = await rowsOf(turn);
  const fit = [
    { tool_call_id: approval, approved: true },
    { tool_call_id: output, output: 'Here.' },
    { tool_call_id: outcome, send_again: true },
  ];
  const misfits = [
    { tool_call_id: approval, output: 'Yes.' },
    { tool_call_id: output, approved: true },
    { tool_call_id: outcome, approved: true },
  ];
  for (const [index, misfit] of misfits.entries()) {
    const { body } = await send(turn, fit.with(index, misfit as never)).expect(400);
    expect(body.errors).toMatchObject([{ path: expect.stringMatching(`^tool_outputs.${index}.`) }]);
    expect(await rowsOf(turn)).toEqual(before);
  }
  const all = await send(turn, misfits).expect(400);
  expect(all.body.errors).toHaveLength(3);
  expect(await repeats(turn)).toEqual([]);
  await send(turn, fit).expect(202);
});

test('a call is made a second time only by send_again, which is in the audit log once, with its actor', async () => {
  const turn = await waitsFor(['outcome', 'outcome', 'outcome']);
  const [first, second, third] = turn.calls;
  const outputs = [
    { tool_call_id: first, send_again: true },
    { tool_call_id: second, outcome: 'unknown' },
    { tool_call_id: third, output: 'Paid, says Ada.' },
  ];
  const sendAgain = () => send(turn, outputs).set('Idempotency-Key', 'again').expect(202);
  expect((await sendAgain()).body.status).toBe('queued');
  expect((await sendAgain()).headers['idempotent-replayed']).toBe('true');
  expect(await rowsOf(turn)).toMatchObject([
    { id: first, status: 'pending', awaiting: null, output: null },
    {
      id: second,
      status: 'unknown',
      awaiting: null,
      output: [{ type: 'text', text: UNKNOWN_OUTCOME }],
      is_error: true,
    },
    { id: third, status: 'completed', output: [{ type: 'text', text: 'Paid, says Ada.' }], is_error: false },
  ]);
  expect(await repeats(turn)).toMatchObject([
    {
      actor: { type: 'api_key', id: api.client.keyId },
      subject: turn.id,
      details: { tool_calls: [first], tools: ['pay_outcome'] },
    },
  ]);
});

test('a denial without a reason is reported to the model as a denial', async () => {
  const turn = await waitsFor(['approval', 'approval']);
  const [first, second] = turn.calls;
  await send(turn, [
    { tool_call_id: first, approved: false, reason: ' ' },
    { tool_call_id: second, approved: false, reason: 'Too dear.' },
  ]).expect(202);
  expect((await rowsOf(turn)).map(({ output }) => output[0].text)).toEqual([
    'The call was denied. Nothing was done.',
    'Too dear.',
  ]);
});
