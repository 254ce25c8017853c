// Each line after a comment is wrong: the compiler must say so, or it complains of the comment.
import { Turnpike, type Turn, type WebhookEvent } from '@turnpike/client';

// @ts-expect-error: where the API is, must be said
export const homeless = new Turnpike({ apiKey: 'tp_live_x' });

export async function callWrongly(turnpike: Turnpike, turn: Turn, event: WebhookEvent): Promise<void> {
  // @ts-expect-error: an input is needed
  await turnpike.turns.submit({ agent_id: 'agent_1' });
  // @ts-expect-error: either an agent or a session
  await turnpike.turns.submit({ agent_id: 'agent_1', session_id: 'sess_1', input: 'x' });
  // @ts-expect-error: an input is text or blocks
  await turnpike.turns.submit({ agent_id: 'agent_1', input: 5 });
  // @ts-expect-error: no such block
  await turnpike.turns.submit({ agent_id: 'agent_1', input: [{ type: 'video' }] });
  // @ts-expect-error: no such field
  await turnpike.turns.submit({ agent_id: 'agent_1', input: 'x', prioirty: 3 });
  // @ts-expect-error: labels are strings
  await turnpike.turns.submit({ agent_id: 'agent_1', input: 'x', metadata: { count: 1 } });
  // @ts-expect-error: no such strategy
  await turnpike.turns.submit({ session_id: 'sess_1', input: 'x', multitask_strategy: 'drop' });
  // @ts-expect-error: a model is needed
  await turnpike.agents.create({ name: 'nameless' });
  // @ts-expect-error: no such kind of tool
  await turnpike.agents.create({ name: 'a', model: 'm', tools: [{ type: 'magic', name: 'x' }] });
  // @ts-expect-error: no such scope
  await turnpike.apiKeys.create({ name: 'k', scopes: ['turns:erase'] });
  // @ts-expect-error: an id is text
  await turnpike.turns.get(17);
  // @ts-expect-error: no such end of a wait
  await turnpike.turns.wait(turn.id, { until: 'done' });
  // @ts-expect-error: no such event
  await turnpike.webhookEndpoints.create({ url: 'https://receiver.invalid', events: ['turn.exploded'] });
  // @ts-expect-error: no such status
  if (turn.status === 'finished') return;
  // @ts-expect-error: there may be no answer
  turn.output_text.trim();
  // @ts-expect-error: only the events of a turn have one
  event.data.turn.id.trim();
  // @ts-expect-error: it is shown once, and may be missing
  (await turnpike.apiKeys.create({ name: 'k', scopes: ['admin'] })).key.trim();
  // @ts-expect-error: no such method
  await turnpike.turns.abort(turn.id);
}
