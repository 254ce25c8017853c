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

let harness: HttpToolTest;
let call: ToolCall;

beforeEach(async () => {
  harness = await startHttpToolTest({ secrets: secretsOf({ crm: 'crm-t0ken-value' }) });
  harness.configure({
    effect: 'reconcile',
    reconcile_url: `${harness.server.origin}/ask?shop=a%20b`,
    headers: { Authorization: { secret: 'crm' } },
  });
  call = callOf('tool', {}, 'reconcile');
});
afterEach(() => harness.server.stop());

/** Answers with each in turn; the last one stays. */
function answerWith(...answers: (object | string | number)[]): void {
  let count = 0;
  harness.server.respond = (_request, response) => {
    const answer = answers[Math.min(count, answers.length - 1)] ?? 500;
    count += 1;
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
}

test('the tool is asked for the call by its id, with signature and headers, and without a body', async () => {
  answerWith({ status: 'not_found' });
  await harness.reconcile(call);
  const [seen] = harness.server.seen;
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
])('a call that happened has the output that the tool reports: %s', async (_, answer, text, isError) => {
  answerWith(answer);
  const output = await harness.reconcile(call);
  expect(output).toEqual({ content: [{ type: 'text', text }], isError });
});

test('an output that is too long is truncated, with a note', async () => {
  harness.tool.config.max_output_bytes = 256;
  answerWith({ status: 'completed', output: '"'.repeat(1_000) });
  const output = await harness.reconcile(call);
  expect(output && textIn(output)).toBe(
    `${'"'.repeat(256)}\n[truncated: only the first 256 bytes are shown]`,
  );
});

test('a call that never arrived has no output', async () => {
  answerWith({ status: 'not_found' });
  expect(await harness.reconcile(call)).toBeNull();
});

test('a pending call is asked for again, also after a temporary failure', async () => {
  answerWith({ status: 'pending' }, 503, { status: 'pending' }, { status: 'completed', output: 'done' });
  const output = await harness.reconcile(call);
  expect(output && textIn(output)).toBe('done');
  expect(harness.server.seen).toHaveLength(4);
});

test.each<[string, object | string | number]>([
  ['a status that is none', { status: 'perhaps' }],
  ['no JSON', 'fine'],
  ['a list', []],
  ['404', 404],
  ['302', 302],
  ['500 each time', 500],
])('where the tool responds with %s, the outcome is unknown', async (_, answer) => {
  answerWith(answer);
  await expect(harness.reconcile(call)).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'reconcile_failed',
  });
});

test('where the tool does not say by the end of its time, the outcome is unknown', async () => {
  harness.tool.config.timeout_ms = 100;
  harness.server.respond = (_request, response) => response.end('{"status":"pending"}');
  await expect(harness.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
  harness.server.respond = (request) => request.socket.destroy();
  await expect(harness.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
});

test('where a secret does not exist, or the address is refused, the outcome is unknown', async () => {
  harness.tool.config.headers = { Authorization: { secret: 'gone' } };
  await expect(harness.reconcile(call)).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'secret_unavailable',
  });
  const strict = await startHttpToolTest({ egress: createEgress() });
  strict.configure({ effect: 'reconcile', reconcile_url: `${strict.server.origin}/ask` });
  await expect(strict.reconcile(call)).rejects.toBeInstanceOf(OutcomeUnknownError);
  expect([...harness.server.seen, ...strict.server.seen]).toEqual([]);
  await strict.server.stop();
});

test('where a tool cannot be asked, or was deleted, the outcome is unknown', async () => {
  harness.configure({ effect: 'once' });
  await expect(harness.reconcile(call)).rejects.toMatchObject({ code: 'cannot_reconcile' });
  await expect(harness.reconcile({ ...call, name: 'other' })).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'cannot_reconcile',
  });
});

test('a turn that stops while the tool is asked rejects with its own reason', async () => {
  const reason = new Error('the turn stops');
  const turn = new AbortController();
  harness.server.respond = () => turn.abort(reason);
  await expect(harness.reconcile(call, turnContext(turn.signal))).rejects.toBe(reason);
});

test('a secret that may not be sent to the reconcile address is not sent, and the outcome is unknown', async () => {
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
