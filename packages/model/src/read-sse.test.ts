import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SseReader, type SentEvent } from './read-sse.ts';

function read(pieces: readonly Uint8Array[]): SentEvent[] {
  const events: SentEvent[] = [];
  const reader = new SseReader((event) => events.push(event));
  for (const piece of pieces) reader.add(piece);
  return events;
}

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');

test('an event has its name and all its data, and counts once the empty line after it has come', () => {
  expect(read([utf8('event: a\ndata: 1\ndata:2\n\n: comment\nid: 7\ndata\n\nevent: b\ndata: 3\n')])).toEqual([
    { name: 'a', data: '1\n2' },
    { name: null, data: '' },
  ]);
});

test('however the bytes are divided, and whatever ends the lines, the events are the same', () => {
  const line = fc.constantFrom('event: a', 'data: é€😀', 'data: {"x": 1}', 'data:', ': c', '', '');
  const end = fc.constantFrom('\n', '\r\n', '\r');
  const text = fc.array(line, { maxLength: 30 });
  fc.assert(
    fc.property(text, end, fc.array(fc.nat(200), { maxLength: 20 }), (lines, ending, cuts) => {
      // What comes after a lone carriage return at the very end is not known yet.
      const whole = utf8([...lines, '', 'x'].join(ending));
      const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)), whole.length];
      places.sort((a, b) => a - b);
      const pieces = places.slice(1).map((place, index) => whole.subarray(places[index], place));
      expect(read(pieces)).toEqual(read([utf8([...lines, '', 'x'].join('\n'))]));
    }),
  );
});

test('a line of many pieces is read in time that grows with its length alone', () => {
  const piece = utf8('x'.repeat(16_384));
  const events: SentEvent[] = [];
  const reader = new SseReader((event) => events.push(event));
  reader.add(utf8('data: '));
  for (let count = 0; count < 2_000; count++) reader.add(piece);
  reader.add(utf8('\n\n'));
  expect(events[0]?.data.length).toBe(2_000 * 16_384);
});
