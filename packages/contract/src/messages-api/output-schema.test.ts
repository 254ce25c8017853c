import { expect, test } from '@jest/globals';
import { outputSchemaIssues } from './output-schema.ts';

const referring = (ref: string) => ({
  type: 'object',
  properties: { one: { type: 'object', $defs: { inner: { $ref: ref } }, properties: {} } },
  $defs: { name: { type: 'string' } },
});

test('a reference in definitions of a part leads to a definition of the schema, as any other', () => {
  expect(outputSchemaIssues(referring('#/$defs/name'))).toEqual([]);
  expect(outputSchemaIssues(referring('#/$defs/inner'))).toEqual([
    { path: 'properties.one.$defs.inner.$ref', message: expect.stringContaining('must name a definition') },
  ]);
});

test('a definition does not lead back to itself by definitions of its own', () => {
  const schema = {
    $ref: '#/$defs/node',
    $defs: { node: { type: 'object', properties: {}, $defs: { next: { $ref: '#/$defs/node' } } } },
  };
  expect(outputSchemaIssues(schema)).toMatchObject([{ path: '$defs.node.$defs.next.$ref' }]);
});
