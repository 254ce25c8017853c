import { expect, test } from '@jest/globals';
import { newId, type StoredMessage } from '@turnpike/contract';
import { estimateSize, findOverflow } from './context-window.ts';

test('the older half of a session of 20,000 short messages is to be summarized, found in linear time', () => {
  const history = Array.from({ length: 20_000 }, (_, number): StoredMessage => ({
    id: newId('message'),
    turnSequence: Math.floor(number / 2) + 1,
    index: number % 2,
    role: number % 2 === 0 ? 'user' : 'assistant',
    content: [{ type: 'text', text: 'ok' }],
    partial: false,
    refused: [],
  }));
  const progress = { history, messages: [], windowTokens: null, summary: null };
  const overflow = findOverflow(progress, { context_tokens: 100_000 }, estimateSize(progress));
  expect(overflow?.messages).toEqual(history.slice(0, overflow?.messages.length));
  expect(overflow?.throughSequence).toBe((overflow?.messages.length ?? 0) / 2);
  expect(overflow?.messages.length).toBeGreaterThan(10_000);
});
