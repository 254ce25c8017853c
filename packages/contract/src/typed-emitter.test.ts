import { expect, test } from '@jest/globals';
import { TypedEmitter } from './typed-emitter.ts';

interface Events {
  said: [text: string];
  ended: [];
}

test('listeners are called in the order in which they were added, with the values of their event', () => {
  const heard: string[] = [];
  const emitter = new TypedEmitter<Events>((error) => {
    throw error;
  })
    .on('said', (text) => heard.push(`first: ${text}`))
    .on('said', (text) => heard.push(`second: ${text}`))
    .on('ended', () => heard.push('ended'));
  emitter.emit('said', 'Hello');
  emitter.emit('ended');
  expect(heard).toEqual(['first: Hello', 'second: Hello', 'ended']);
});

test('a listener that throws or rejects stops neither the emitter nor the listeners after it', async () => {
  const errors: unknown[] = [];
  const heard: string[] = [];
  const emitter = new TypedEmitter<Events>((error) => errors.push(error));
  emitter.on('said', () => {
    throw new Error('thrown');
  });
  emitter.on('said', () => Promise.reject(new Error('rejected')));
  emitter.on('said', (text) => heard.push(text));
  emitter.emit('said', 'Hello');
  await Promise.resolve();
  await Promise.resolve();
  expect(heard).toEqual(['Hello']);
  expect(errors).toEqual([new Error('thrown'), new Error('rejected')]);
});

test('a listener that is added while an event is emitted is called from the next one on', () => {
  const heard: string[] = [];
  const emitter = new TypedEmitter<Events>(() => undefined);
  let isAdded = false;
  emitter.on('ended', () => {
    if (!isAdded) emitter.on('ended', () => heard.push('added'));
    isAdded = true;
  });
  emitter.emit('ended');
  expect(heard).toEqual([]);
  emitter.emit('ended');
  expect(heard).toEqual(['added']);
});
