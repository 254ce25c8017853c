import { describe, expect, it } from '@jest/globals';
import { withBlockPath, type BlockPath, type ContentBlock } from '@turnpike/contract';
import { locateRefusal, readRefusal } from './read-refusal.ts';
import { callTestModel, testModel } from './testing/test-model.ts';
import { errorBody, startScriptedApi } from './testing/scripted-api.ts';
import { failureOf } from './testing/test-turns.ts';

const placeAt = (blockIndex: number, itemIndex: number | null = null): BlockPath => ({
  messageId: 'msg_1',
  turnSequence: 1,
  messageIndex: 0,
  blockIndex,
  itemIndex,
});
const stored = (type: string, blockIndex: number, more: object = {}): ContentBlock =>
  withBlockPath({ type, ...more }, placeAt(blockIndex));

const RESULT = stored('tool_result', 1, {
  content: [{ type: 'text', text: 'Here.' }, withBlockPath({ type: 'image' }, placeAt(1, 1))],
});
const CONVERSATION = [
  { content: [{ type: 'text', text: 'Notes of ours.' }] },
  { content: [stored('image', 0), RESULT] },
];

describe('the error of a refused request', () => {
  it.each([
    ['messages.1.content.0.image.source.base64: The image does not match its media type', [placeAt(0)]],
    ['messages.1.content.1.tool_result.content.1.image.source.base64: image exceeds 5 MB', [placeAt(1, 1)]],
    ['messages.1.content.1: each tool_use must have a single result', [placeAt(1)]],
    ['messages.1: all messages must have non-empty content', [placeAt(0), placeAt(1)]],
    ['Invalid request: messages[1].content[0].image: unreadable', [placeAt(0)]],
    ['messages.1.content.0: no; messages.1.content.1: neither', [placeAt(0), placeAt(1)]],
  ])('names what was refused: %s', (words, paths) => {
    expect(locateRefusal(readRefusal(words), CONVERSATION)).toEqual({ paths, likely: 'none' });
  });

  it('names no stored block where it names one that is not stored, or does not exist', () => {
    for (const words of [
      'messages.0.content.0: no',
      'messages.7.content.0: no',
      'messages.1.content.9: no',
    ]) {
      expect(locateRefusal(readRefusal(words), CONVERSATION)).toEqual({ paths: [], likely: 'none' });
    }
  });

  it.each([
    ['Could not process image', 'media'],
    ['Unable to download the file. Please verify the URL and try again.', 'media'],
    ['The PDF specified was not valid.', 'media'],
    ['Output blocked by content filtering policy', 'any'],
    ['Bad request', 'new_media'],
    ['tools.0.custom.input_schema: a document of JSON schema is invalid', 'none'],
    ['messages: first message must use the "user" role', 'none'],
    ['max_tokens: 128000 > 64000', 'none'],
    ['`temperature`: may only be set to 1 for this image model', 'none'],
  ])('that names no block is about: %s (%s)', (words, likely) => {
    expect(readRefusal(words)).toEqual({ named: [], likely });
  });
});

it('a refused call has the stored path of the block that the API named by its index in the request', async () => {
  const api = await startScriptedApi(() => ({
    status: 400,
    body: errorBody('invalid_request_error', 'messages.0.content.1.image: Could not process image'),
  }));
  const { model } = testModel(api.url);
  try {
    // Neighbours of one role are sent as one message.
    const messages = [
      { role: 'user' as const, content: [{ type: 'text', text: 'Look.' }] },
      { role: 'user' as const, content: [stored('image', 4)] },
    ];
    const error = await failureOf(callTestModel(model, { request: { messages } }).response);
    expect(error.refused).toEqual({ paths: [placeAt(4)], likely: 'none' });
    // What the block knows of its place is not sent.
    expect(JSON.stringify(api.received[0]?.body)).not.toContain('msg_1');
  } finally {
    await model.close();
    await api.close();
  }
});
