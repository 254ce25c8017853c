import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
afterAll(() => cluster.stop());

/** As large as it is said to be, once it is read: a picture or document as clients send them. */
const block = (type: 'image' | 'document', start: Buffer, bytes: number) => ({
  type,
  source: {
    type: 'base64',
    media_type: type === 'image' ? 'image/png' : 'application/pdf',
    data: Buffer.concat([start, Buffer.alloc(bytes - start.length, 7)]).toString('base64'),
  },
});
const PNG = Buffer.from(
  '89504e470d0a1a0a0000000d49484452000000640000006408020000003b82d5f20000000049454e44ae426082',
  'hex',
);
const PDF = Buffer.from('%PDF-1.7\n');

test('a picture of 900 kB and a document of 20 MB are taken, shown to the model, and answered', async () => {
  const agent = await cluster.createAgent();
  const submit = async (path: string, content: object) => {
    const input = [content, { type: 'text', text: 'What is this?' }];
    const body = path === '/v1/turns' ? { agent_id: agent.id, input } : { input };
    const { status, body: turn } = await cluster.request('POST', path, body, { 'idempotency-key': path });
    expect([status, turn]).toEqual([202, expect.anything()]);
    return turn as { id: string; session_id: string };
  };
  const first = await submit('/v1/turns', block('image', PNG, 900_000));
  expect(await cluster.untilEnded(first.id)).toMatchObject({ status: 'completed', attempts: 1 });

  // A session that has it in its history, and small turns of others beside it.
  const second = await submit(`/v1/sessions/${first.session_id}/turns`, block('document', PDF, 20_000_000));
  const others = await Promise.all(
    Array.from({ length: 20 }, () => cluster.submit({ agentId: agent.id }, 'Hello')),
  );
  for (const { id } of [second, ...others])
    expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed', attempts: 1 });
  const after = await cluster.submit({ sessionId: first.session_id }, 'And now?');
  expect(await cluster.untilEnded(after.id)).toMatchObject({ status: 'completed', attempts: 1 });

  const { body } = await cluster.request('GET', `/v1/sessions/${first.session_id}/messages?limit=4`);
  expect(JSON.stringify(body).length).toBeGreaterThan(27_000_000);
});
