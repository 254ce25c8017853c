import { expect, test } from '@jest/globals';
import type { TurnEvent } from './wire/contract.ts';
import { EventDeduplicator } from './event-deduplicator.ts';
import { TextSoFar } from './text-so-far.ts';

let number = 0;
const fact = (type: string, rest: object = {}): TurnEvent =>
  ({ type, id: 'evt_1', turn_id: 'turn_1', sequence_number: ++number, ...rest }) as unknown as TurnEvent;
const piece = (offset: number, text: string, attempt = number): TurnEvent => ({
  type: 'message.delta',
  turn_id: 'turn_1',
  step_index: 0,
  attempt,
  offset,
  text,
});
const completed = (type: string, text: string): TurnEvent =>
  fact('step.completed', { step: { type, content: [{ type: 'thinking' }, { type: 'text', text }] } });

test('the text is that of the step under way, whatever comes twice, is left out or begins anew', () => {
  number = 0;
  const soFar = new TextSoFar();
  const shown = [
    fact('turn.queued'),
    fact('step.started', { step_index: 0 }),
    piece(0, 'It is '),
    piece(0, 'It is '),
    piece(3, 'is no'),
    piece(99, 'a piece after one that was left out'),
    fact('step.restarted', { step_index: 0 }),
    piece(0, 'Noon'),
    completed('model_call', 'Noon.'),
    completed('tool_calls', 'A receipt.'),
    completed('compaction', 'A summary.'),
    fact('step.started', { step_index: 3 }),
    fact('turn.completed', { turn: { output_text: 'Noon, in Lisbon.' } }),
  ].map((event) => soFar.take(event));
  const first = ['', '', 'It is ', 'It is ', 'It is no', 'It is no', '', 'Noon', 'Noon.', 'Noon.', 'Noon.'];
  expect(shown).toEqual(first.concat('', 'Noon, in Lisbon.'));
});

test('the sieve lets each fact and each piece of text through once, and refuses a hole', () => {
  number = 0;
  const sieve = new EventDeduplicator(undefined);
  const take = (event: TurnEvent): unknown => sieve.take({ data: JSON.stringify(event), id: String(number) });
  const started = fact('step.started', { step_index: 0 });
  expect(take(started)).toEqual(started);
  expect(take(started)).toBeNull();
  expect(take(piece(0, 'Good '))).toMatchObject({ offset: 0, text: 'Good ' });
  expect(take(piece(0, 'Good '))).toBeNull();
  // What a client that came back is sent: all of it, in one piece.
  expect(take(piece(0, 'Good morning'))).toMatchObject({ offset: 5, text: 'morning' });
  expect(take(piece(20, 'later'))).toBeNull();
  expect(sieve.cursor).toBe('1');

  const restarted = fact('step.restarted', { step_index: 0 });
  expect(take(restarted)).toEqual(restarted);
  expect(take(piece(12, ', said late', 1))).toBeNull();
  expect(take(piece(0, 'Hello'))).toMatchObject({ offset: 0, text: 'Hello' });
  expect(
    take({ ...restarted, type: 'some.later.kind', sequence_number: 3 } as unknown as TurnEvent),
  ).not.toBeNull();
  expect(() => take({ ...restarted, sequence_number: 5 } as TurnEvent)).toThrow(
    'Event 4 of turn_1 is missing.',
  );
  expect(sieve.take({ data: '{"type":"no fact"}' })).toBeNull();
  expect(() => sieve.take({ data: '{' })).toThrow('not JSON');
});
