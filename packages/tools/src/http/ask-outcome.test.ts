import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  OutcomeUnknownError,
  TerminalError,
  type SecretDestination,
  type ToolCall,
} from '@turnpike/contract';
import { createEgress } from '@turnpike/egress';
import { Webhook } from 'standardwebhooks';
import type { ToolSecrets } from '../ports.ts';
import { startHttpToolTest, type HttpToolTest } from '../testing/http-tool-test.ts';
import { callOf, textIn, turnContext } from '../testing/test-call.ts';
import { secretsOf, SIGNING_SECRET } from '../testing/test-runner.ts';

let trial: HttpToolTest;
let call: ToolCall;

beforeEach(async () => {
  trial = await startHttpToolTest({ secrets: secretsOf({ crm: 'crm-t0ken-value' }) });
  trial.configure({
    effect: 'reconcile',
    reconcile_url: `${trial.server.origin}/ask?shop=a%20b`,
    headers: { Authorization: { secret: 'crm' } },
  });
  call = callOf('tool', {}, 'reconcile');
});
afterEach(() => trial.server.stop());

/** Answers with each in turn; the last one stays. */
function answerWith(...answers: (object | string | number)[]): void {
  let count = 0;
  trial.server.answer = (_request, response) => {
    const answer = answers[Math.min(count, answers.length - 1)] ?? 500;
    count += 1;
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
}

test('the tool is asked for the call by its id, signed and with its headers, and with no body', async () => {
  answerWith({ status: 'not_found' });
  await trial.reconcile(call);
  const [seen] = trial.server.seen;
  if (seen === undefined) throw new Error('Nothing came.');
  const { method, url, headers, body } = seen;
  expect({ method, url, body }).toEqual({
    method: 'GET',
    url: `/ask?shop=a%20b&tool_call_id=${call.id}`,
    body: '',
  });
  expect(headers).toMatchObject({ authorization: 'crm-t0ken-value', 'webhook-id': call.id });
  expect(headers).not.toHaveProperty('idempotency-key');
  expect(() => new Webhook(SIGNING_SECRET).verify(body, headers as Record<string, string>)).not.toThrow();
});

test.each([
  ['text', { status: 'completed', output: 'done: 7' }, 'done: 7', false],
  ['JSON', { status: 'completed', output: { order: [7] } }, '{"order":[7]}', false],
  ['an error', { status: 'completed', output: 'no stock', is_error: true }, 'no stock', true],
  ['nothing', { status: 'completed' }, '[completed, no output]', false],
  ['a secret', { status: 'completed', output: { got: 'crm-t0ken-value' } }, '{"got":"[secret]"}', false],
])('a call that happened has the output that the tool tells: %s', async (_, answer, text, isError) => {
  answerWith(answer);
  const output = await trial.reconcile(call);
  expect(output).toEqual({ content: [{ type: 'text', text }], isError });
});

test('an output that is too long is cut, and says so', async () => {
  trial.tool.config.max_output_bytes = 256;
  answerWith({ status: 'completed', output: '"'.repeat(1_000) });
  const output = await trial.reconcile(call);
  expect(output && textIn(output)).toBe(
    `${'"'.repeat(256)}\n[truncated: only the first 256 bytes are shown]`,
  );
});

test('a call that never arrived has no output', async () => {
  answerWith({ status: 'not_found' });
  expect(await trial.reconcile(call)).toBeNull();
});

test('a call that is still worked on is asked for again, and a failure that passes is survived', async () => {
  answerWith({ status: 'pending' }, 503, { status: 'pending' }, { status: 'completed', output: 'done' });
  const output = await trial.reconcile(call);
  expect(output && textIn(output)).toBe('done');
  expect(trial.server.seen).toHaveLength(4);
});

test.each<[string, object | string | number]>([
  ['a status that is none', { status: 'perhaps' }],
  ['no JSON', 'fine'],
  ['a list', []],
  ['404', 404],
  ['302', 302],
  ['500 each time', 500],
])('where the tool answers %s, nobody knows how the call ended', async (_, answer) => {
  answerWith(answer);
  await expect(trial.reconcile(call)).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'reconcile_failed',
  });
});

test('where the tool does not say by the end of its time, nobody knows how the call ended', async () => {
  trial.tool.config.timeout_ms = 100;
  trial.server.answer = (_request, response) => response.end('{"status":"pending"}');
  await expect(trial.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
  trial.server.answer = (request) => request.socket.destroy();
  await expect(trial.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
});

test('where a secret is not there, or the address is refused, nobody knows how the call ended', async () => {
  trial.tool.config.headers = { Authorization: { secret: 'gone' } };
  await expect(trial.reconcile(call)).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'secret_unavailable',
  });
  const strict = await startHttpToolTest({ egress: createEgress() });
  strict.configure({ effect: 'reconcile', reconcile_url: `${strict.server.origin}/ask` });
  await expect(strict.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect([...trial.server.seen, ...strict.server.seen]).toEqual([]);
  await strict.server.stop();
});

test('a tool that cannot be asked, or is gone, leaves the outcome unknown', async () => {
  trial.configure({ effect: 'once' });
  await expect(trial.reconcile(call)).rejects.toMatchObject({ code: 'cannot_reconcile' });
  await expect(trial.reconcile({ ...call, name: 'other' })).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'cannot_reconcile',
  });
});

test('a turn that stops while the tool is asked gives its own reason', async () => {
  const reason = new Error('the turn stops');
  const turn = new AbortController();
  trial.server.answer = () => turn.abort(reason);
  await expect(trial.reconcile(call, turnContext(turn.signal))).rejects.toBe(reason);
});

test('a secret that may not be sent to the address that is asked is not, and the outcome stays unknown', async () => {
  const asked: SecretDestination[] = [];
  const read: ToolSecrets['read'] = (_tenantId, _name, destination) => {
    asked.push(destination);
    return Promise.reject(new TerminalError('secret_refused', 'The secret crm is not sent there.'));
  };
  const own = await startHttpToolTest({ secrets: { ...secretsOf(), read } });
  const reconcileUrl = `${own.server.origin}/ask`;
  own.configure({
    effect: 'reconcile',
    reconcile_url: reconcileUrl,
    headers: { Authorization: { secret: 'crm' } },
  });
  await expect(own.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect(asked).toEqual([{ url: reconcileUrl, by: 'tool' }]);
  expect(own.server.seen).toEqual([]);
  await own.server.stop();
});
