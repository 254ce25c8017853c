import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { MessageAssembly, type WholeMessage } from './assemble-message.ts';
import { messageEvents } from './testing/scripted-api.ts';

type Event = { type: string; [key: string]: unknown };

function assemble(events: readonly Event[]): WholeMessage {
  const assembly = new MessageAssembly();
  for (const event of events) assembly.add(event);
  return assembly.finish();
}

const call = (...pieces: string[]) => ({
  start: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
  deltas: pieces.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
});
const words = (...pieces: string[]) => ({
  start: { type: 'text', text: '' },
  deltas: pieces.map((text) => ({ type: 'text_delta', text })),
});
const malformed = expect.objectContaining({ code: 'model_malformed_stream' });
const cut = expect.objectContaining({ code: 'model_stream_cut' });

describe('a message assembled from its stream', () => {
  it('has its text, calls, usage, model and stop reason', () => {
    const events = messageEvents([words('Let me ', 'look.'), call('{"at":', '"x"}')], 'tool_use');
    expect(assemble(events)).toEqual({
      content: [
        { type: 'text', text: 'Let me look.' },
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'x' } },
      ],
      stopReason: 'tool_use',
      model: 'claude-test-1',
      usage: {
        input_tokens: 12,
        output_tokens: 7,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
      webSearches: 0,
      speed: null,
      geo: null,
      containerId: null,
    });
  });

  it('returns text as it arrives, and nothing else', () => {
    const assembly = new MessageAssembly();
    const thought = {
      start: { type: 'thinking', thinking: '', signature: '' },
      deltas: [{ type: 'thinking_delta', thinking: 'hm' }],
    };
    const given = messageEvents([thought, words('a', 'b'), call('{}')]).map((event) => assembly.add(event));
    expect(given.filter((piece) => piece !== undefined)).toEqual(['a', 'b']);
  });

  it('keeps thinking with its signature, redacted thinking and citations unchanged', () => {
    const blocks = [
      {
        start: { type: 'thinking', thinking: '', signature: '' },
        deltas: [
          { type: 'thinking_delta', thinking: 'step ' },
          { type: 'thinking_delta', thinking: 'two' },
          { type: 'signature_delta', signature: 'c2ln' },
        ],
      },
      { start: { type: 'redacted_thinking', data: 'b3BhcXVl' } },
      {
        start: { type: 'text', text: '' },
        deltas: [
          { type: 'citations_delta', citation: { n: 1 } },
          { type: 'text_delta', text: 'so' },
          { type: 'citations_delta', citation: { n: 2 } },
        ],
      },
    ];
    expect(assemble(messageEvents(blocks)).content).toEqual([
      { type: 'thinking', thinking: 'step two', signature: 'c2ln' },
      { type: 'redacted_thinking', data: 'b3BhcXVl' },
      { type: 'text', text: 'so', citations: [{ n: 1 }, { n: 2 }] },
    ]);
  });

  it('keeps blocks and deltas of unknown types', () => {
    const blocks = [
      { start: { type: 'novelty', deep: { a: [1] } } },
      {
        start: { type: 'novel_call', input: {} },
        deltas: [{ type: 'input_json_delta', partial_json: '{"a":1}' }],
      },
      {
        start: { type: 'novel_prose', prose: 'a' },
        deltas: [
          { type: 'prose_delta', prose: 'b' },
          { type: 'mood_delta', mood: { glad: true } },
        ],
      },
    ];
    expect(assemble(messageEvents(blocks)).content).toEqual([
      { type: 'novelty', deep: { a: [1] } },
      { type: 'novel_call', input: { a: 1 } },
      { type: 'novel_prose', prose: 'ab', mood: { glad: true } },
    ]);
  });

  it('ignores events of unknown types, and events after its end', () => {
    const events = messageEvents([words('a')]);
    const odd: Event = { type: 'weather', index: 'x' };
    const after: Event = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '!' } };
    expect(assemble([odd, ...events.flatMap((event) => [event, odd]), after]).content).toEqual([
      { type: 'text', text: 'a' },
    ]);
  });

  it('may be empty', () => {
    expect(assemble(messageEvents([])).content).toEqual([]);
    expect(assemble(messageEvents([words()])).content).toEqual([{ type: 'text', text: '' }]);
  });

  it('prefers the totals of message_delta to the counts of message_start', () => {
    const events = messageEvents([]);
    const start = {
      input_tokens: 5,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 2,
      output_tokens: 1,
    };
    const end = { input_tokens: null, cache_read_input_tokens: 4, output_tokens: 9 };
    events[0] = { type: 'message_start', message: { model: 'm', usage: start } };
    events[1] = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: end };
    expect(assemble(events).usage).toEqual({
      input_tokens: 5,
      output_tokens: 9,
      cache_creation_input_tokens: 2,
      cache_read_input_tokens: 4,
    });
  });

  it('has a call with an empty input where the call has none', () => {
    expect(assemble(messageEvents([call('')], 'tool_use')).content).toMatchObject([{ input: {} }]);
  });
});

describe('an incomplete message', () => {
  const events = messageEvents([words('a'), call('{"a":1}')], 'tool_use');

  it('is refused, wherever the stream ends', () => {
    for (let length = 0; length < events.length; length++) {
      expect(() => assemble(events.slice(0, length))).toThrow(cut);
    }
  });

  it('is refused without the start or the end of the message or of a block', () => {
    for (const missing of events.filter((event) => event.type !== 'content_block_delta')) {
      const rest = events.filter((event) => event !== missing);
      expect(() => assemble(rest)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^model_/) }),
      );
    }
  });

  it('is refused where a call is truncated, though the stop reason says that it is complete', () => {
    for (const stop of ['tool_use', 'end_turn', 'pause_turn']) {
      expect(() => assemble(messageEvents([call('{"amount": 1')], stop))).toThrow(malformed);
    }
  });

  it.each([
    ['two beginnings', [events[0], ...events]],
    ['a delta after the end of its block', [...events.slice(0, 4), events[2]]],
    ['an event of the wrong shape', [{ type: 'message_start', message: {} }]],
    ['an event without a type', [{}]],
    [
      'more tokens than any model takes',
      [
        { type: 'message_start', message: { model: 'm', usage: { input_tokens: 2 ** 40 } } },
        ...events.slice(1),
      ],
    ],
    ['no event at all', [null]],
    ['a delta without its value', [...events.slice(0, 2), { ...events[2], delta: { type: 'text_delta' } }]],
  ])('is refused with %s', (_what, broken) => {
    expect(() => assemble(broken as Event[])).toThrow(malformed);
  });

  it('is described without quoting it', () => {
    const broken = [{ type: 'message_start', message: { model: 'm', usage: { input_tokens: 'a secret' } } }];
    let thrown: unknown;
    try {
      assemble(broken);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toEqual(malformed);
    expect(inspect(thrown)).not.toContain('a secret');
  });
});

describe('a message that was truncated by a limit', () => {
  it.each(['max_tokens', 'model_context_window_exceeded', 'refusal', 'a_reason_of_tomorrow'])(
    'by %s leaves the call out that it was in the middle of',
    (stop) => {
      for (const half of [call('{"amount": 1'), call(''), call()]) {
        const message = assemble(messageEvents([words('a'), call('{"a":1}'), half], stop));
        expect(message.content).toMatchObject([{ text: 'a' }, { input: { a: 1 } }]);
        expect(message.stopReason).toBe(stop);
      }
    },
  );

  it('has no unsigned thinking', () => {
    const unsigned = {
      start: { type: 'thinking', thinking: '', signature: '' },
      deltas: [{ type: 'thinking_delta', thinking: 'hm' }],
    };
    expect(assemble(messageEvents([unsigned], 'max_tokens')).content).toEqual([]);
  });

  it('keeps its text', () => {
    expect(assemble(messageEvents([words('so fa')], 'max_tokens')).content).toEqual([
      { type: 'text', text: 'so fa' },
    ]);
  });

  it('is refused where a truncated call is not its last block', () => {
    expect(() => assemble(messageEvents([call('{"a'), words('b')], 'max_tokens'))).toThrow(malformed);
  });
});
