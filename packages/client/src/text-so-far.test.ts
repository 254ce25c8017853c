import { expect, test } from '@jest/globals';
import type { TurnEvent } from './wire/contract.ts';
import { EventDeduplicator } from './event-deduplicator.ts';
import { TextSoFar } from './text-so-far.ts';

let number = 0;
const fact = (type: string, rest: object = {}): TurnEvent =>
  ({ type, id: 'evt_1', turn_id: 'turn_1', sequence_number: ++number, ...rest }) as unknown as TurnEvent;
const delta = (offset: number, text: string, attempt = number): TurnEvent => ({
  type: 'message.delta',
  turn_id: 'turn_1',
  step_index: 0,
  attempt,
  offset,
  text,
});
const completed = (type: string, text: string): TurnEvent =>
  fact('step.completed', { step: { type, content: [{ type: 'thinking' }, { type: 'text', text }] } });

test('the text is that of the current step, with duplicate and missing deltas and restarts', () => {
  number = 0;
  const soFar = new TextSoFar();
  const shown = [
    fact('turn.queued'),
    fact('step.started', { step_index: 0 }),
    delta(0, 'It is '),
    delta(0, 'It is '),
    delta(3, 'is no'),
    delta(99, 'a delta after a missing one'),
    fact('step.restarted', { step_index: 0 }),
    delta(0, 'Noon'),
    completed('model_call', 'Noon.'),
    completed('tool_calls', 'A result.'),
    completed('compaction', 'A summary.'),
    fact('step.started', { step_index: 3 }),
    fact('turn.completed', { turn: { output_text: 'Noon, in Lisbon.' } }),
  ].map((event) => soFar.take(event));
  const first = ['', '', 'It is ', 'It is ', 'It is no', 'It is no', '', 'Noon', 'Noon.', 'Noon.', 'Noon.'];
  expect(shown).toEqual(first.concat('', 'Noon, in Lisbon.'));
});

test('the deduplicator passes each event and each character on once, and rejects a gap', () => {
  number = 0;
  const deduplicator = new EventDeduplicator(undefined);
  const accept = (event: TurnEvent): unknown =>
    deduplicator.accept({ data: JSON.stringify(event), id: String(number) });
  const started = fact('step.started', { step_index: 0 });
  expect(accept(started)).toEqual(started);
  expect(accept(started)).toBeNull();
  expect(accept(delta(0, 'Good '))).toMatchObject({ offset: 0, text: 'Good ' });
  expect(accept(delta(0, 'Good '))).toBeNull();
  // After a reconnection the service sends the whole text in one delta.
  expect(accept(delta(0, 'Good morning'))).toMatchObject({ offset: 5, text: 'morning' });
  expect(accept(delta(20, 'later'))).toBeNull();
  expect(deduplicator.cursor).toBe('1');

  const restarted = fact('step.restarted', { step_index: 0 });
  expect(accept(restarted)).toEqual(restarted);
  expect(accept(delta(12, ', from before', 1))).toBeNull();
  expect(accept(delta(0, 'Hello'))).toMatchObject({ offset: 0, text: 'Hello' });
  expect(
    accept({ ...restarted, type: 'some.later.type', sequence_number: 3 } as unknown as TurnEvent),
  ).not.toBeNull();
  expect(() => accept({ ...restarted, sequence_number: 5 } as TurnEvent)).toThrow(
    'Event 4 of turn_1 is missing.',
  );
  expect(deduplicator.accept({ data: '{"type":"no event"}' })).toBeNull();
  expect(() => deduplicator.accept({ data: '{' })).toThrow('not JSON');
});
