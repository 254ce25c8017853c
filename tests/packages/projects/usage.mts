import {
  isFinal,
  signWebhook,
  TextSoFar,
  Turnpike,
  TurnpikeApiError,
  verifyWebhook,
  webhooks,
  WebhookVerificationError,
  type Agent,
  type ContentBlock,
  type CreatedApiKey,
  type Page,
  type Submission,
  type Turn,
  type TurnEvent,
  type TurnpikeOptions,
  type TurnStatus,
  type WebhookEvent,
} from '@turnpike/client';

const SECRET = 'whsec_dGhpcyBpcyBhIHNlY3JldCBvZiB0aGUgdGVzdHM=';

/** What a user does in the first hour. Returns what a test compares. */
export async function useClient(options: TurnpikeOptions): Promise<Record<string, unknown>> {
  const turnpike = new Turnpike(options);
  const agent: Agent = await turnpike.agents.create({
    name: 'installed',
    model: 'claude-sonnet-4-5',
    tools: [{ type: 'builtin', name: 'current_time' }],
  });
  const submission: Submission = { agent_id: agent.id, input: 'Hello', metadata: { from: 'elsewhere' } };
  const turn: Turn = await turnpike.turns.submit(submission, { idempotencyKey: `once-${agent.id}` });
  const types: TurnEvent['type'][] = [];
  const soFar = new TextSoFar();
  for await (const event of turnpike.turns.stream(turn.id)) {
    soFar.take(event);
    types.push(event.type);
  }
  const ended = await turnpike.turns.wait(turn.id, { until: 'final', timeoutMs: 60_000 });
  const status: TurnStatus = ended.status;
  const output: ContentBlock[] = ended.output ?? [];
  const page: Page<Turn> = await turnpike.turns.list({ session_id: turn.session_id }).page();
  const key: CreatedApiKey = await turnpike.apiKeys.create({ name: 'reader', scopes: ['turns:read'] });
  return {
    status,
    isFinal: isFinal(status),
    saysTheSame: soFar.text === ended.output_text && output.length > 0,
    lastEvent: types.at(-1),
    listed: page.items.map(({ id }) => id === turn.id),
    hasKey: typeof key.key === 'string',
    refused: await refusalOf(turnpike.turns.get('turn_00000000000000000000000000')),
    webhook: await receive(),
  };
}

async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return null;
  } catch (error) {
    if (!(error instanceof TurnpikeApiError)) throw error;
    const { name, status, code } = error;
    return { name, status, code, text: String(error).split(':')[0] };
  }
}

async function receive(): Promise<unknown> {
  const body = JSON.stringify({ id: 'evt_1', type: 'ping', created_at: '2026-11-25T18:00:00Z', data: {} });
  const headers = await signWebhook(body, { id: 'evt_1', secret: SECRET });
  const event: WebhookEvent = await webhooks.verify(body, headers, SECRET);
  try {
    await verifyWebhook(`${body} `, headers, SECRET);
    return null;
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    return { type: event.type, name: error.name, code: error.code };
  }
}
