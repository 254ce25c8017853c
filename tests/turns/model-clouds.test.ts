import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  asBedrockStream,
  AWS_CREDENTIALS,
  expectedSignature,
  startGoogleIdentity,
  type GoogleIdentity,
} from '../../packages/model/src/testing/clouds.ts';
import {
  asEventStream,
  messageEvents,
  startScriptedApi,
  type ScriptedApi,
} from '../../packages/model/src/testing/scripted-api.ts';
import { Cluster } from '../support/cluster.ts';

const ANSWER = messageEvents([
  { start: { type: 'text', text: '' }, deltas: [{ type: 'text_delta', text: 'From a cloud.' }] },
]);

let cluster: Cluster;
let bedrock: ScriptedApi;
let vertex: ScriptedApi;
let identity: GoogleIdentity;
beforeAll(async () => {
  const refusal = { message: 'Too many requests.' };
  bedrock = await startScriptedApi((_request, index) =>
    index === 0
      ? {
          status: 429,
          headers: { 'content-type': 'application/json', 'x-amzn-errortype': 'ThrottlingException' },
          body: JSON.stringify(refusal),
        }
      : { headers: { 'content-type': 'application/vnd.amazon.eventstream' }, body: asBedrockStream(ANSWER) },
  );
  vertex = await startScriptedApi(() => ({ body: asEventStream(ANSWER) }));
  identity = await startGoogleIdentity('ya29.token-of-the-test');
  cluster = await Cluster.start({ workers: 0 });
  const { accessKeyId, secretAccessKey } = AWS_CREDENTIALS;
  const profiles = `${identity.file}-of-aws`;
  await writeFile(
    profiles,
    `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  await Promise.all([
    cluster.startWorker({
      WORKER_POOL: 'bedrock',
      MODEL_PROVIDER: 'bedrock',
      MODEL_IDS: 'claude-sonnet-4-5=eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
      AWS_REGION: 'eu-central-1',
      BEDROCK_BASE_URL: bedrock.url,
      AWS_SHARED_CREDENTIALS_FILE: profiles,
    }),
    cluster.startWorker({
      WORKER_POOL: 'vertex',
      MODEL_PROVIDER: 'vertex',
      VERTEX_PROJECT_ID: 'our-project',
      VERTEX_BASE_URL: `${vertex.url}/v1`,
      GOOGLE_APPLICATION_CREDENTIALS: identity.file,
    }),
  ]);
});
afterAll(async () => {
  await cluster.stop();
  await Promise.all([bedrock, vertex, identity].map((server) => server.close()));
});

async function turnIn(pool: string) {
  const agent = await cluster.createAgent({ pool });
  const { id } = await cluster.submit({ agentId: agent.id }, 'Where are you?');
  return cluster.untilEnded(id);
}

test('a worker calls Amazon Bedrock with the credentials of a profile, also where it is throttled at first', async () => {
  const turn = await turnIn('bedrock');
  expect(turn).toMatchObject({ status: 'completed', error: null });
  expect(JSON.stringify(turn)).toContain('From a cloud.');
  expect(bedrock.received).toHaveLength(2);
  const [first] = bedrock.received;
  if (first === undefined) throw new Error('Nothing was received.');
  expect(decodeURIComponent(first.path ?? '')).toBe(
    '/model/eu.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke-with-response-stream',
  );
  expect(first.headers.authorization).toBe(await expectedSignature(first, 'eu-central-1'));
});

test('a worker calls Google Vertex AI', async () => {
  const turn = await turnIn('vertex');
  expect(turn).toMatchObject({ status: 'completed', error: null });
  expect(JSON.stringify(turn)).toContain('From a cloud.');
  const [first] = vertex.received;
  expect(first?.path).toBe(
    '/v1/projects/our-project/locations/global/publishers/anthropic/models/claude-sonnet-4-5:streamRawPredict',
  );
  expect(first?.headers.authorization).toBe('Bearer ya29.token-of-the-test');
});
