import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { REQUEST_FIELDS } from './fields.ts';
import { createResponseSchema } from './request.ts';

const types = readFileSync(
  new URL('../../../../node_modules/openai/resources/responses/responses.d.ts', import.meta.url),
  'utf8',
);

/** The fields of the body, from the types of the official client. */
function fieldsOfClient(): string[] {
  const plain = types.replaceAll(/\/\*\*.*?\*\//gs, '');
  const body = /export interface ResponseCreateParamsBase \{(.*?)\n\}/s.exec(plain)?.[1] ?? '';
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, name = '']) => name);
}

test('every field that the official client knows is mapped, refused or documented as different', () => {
  const fields = fieldsOfClient();
  expect(fields.length).toBeGreaterThan(30);
  expect(Object.keys(REQUEST_FIELDS).toSorted()).toEqual(fields.toSorted());
  expect(Object.keys(createResponseSchema.shape).toSorted()).toEqual(fields.toSorted());
});

test('a field is refused where the table says so, and accepted as null where the types allow it', () => {
  for (const [name, { is }] of Object.entries(REQUEST_FIELDS)) {
    if (is !== 'refused') continue;
    const body = { model: 'support', input: 'Hello.' };
    expect([name, createResponseSchema.safeParse({ ...body, [name]: ['given'] }).success]).toEqual([
      name,
      false,
    ]);
    expect([name, createResponseSchema.safeParse({ ...body, [name]: null }).success]).toEqual([name, true]);
  }
});
