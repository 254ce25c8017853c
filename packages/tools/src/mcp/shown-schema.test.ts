import { expect, test } from '@jest/globals';
import { toolSchemaIssues, type InputSchema } from '@turnpike/contract';
import { shownSchema } from './shown-schema.ts';

test('a schema that the Messages API accepts is shown as it is, and so is what the model writes', () => {
  const schema: InputSchema = { type: 'object', properties: { a: { anyOf: [{ type: 'string' }] } } };
  const shown = shownSchema(schema);
  expect([shown.schema, shown.inputIn({ a: 'x' })]).toEqual([schema, { a: 'x' }]);
});

test.each<[string, Omit<InputSchema, 'type'>]>([
  ['a union', { anyOf: [{ required: ['a'] }, { required: ['b'] }] }],
  ['an intersection', { allOf: [{ properties: { a: {} } }] }],
  ['a property with an odd name', { properties: { $filter: {}, 'a b': {} } }],
])(
  'a schema with %s at the top is shown as a property, and the tool is sent what is there',
  (_what, more) => {
    const schema: InputSchema = { type: 'object', ...more };
    const { schema: shown, inputIn } = shownSchema(schema);
    expect(toolSchemaIssues(shown)).toEqual([]);
    expect(shown['properties']).toEqual({ input: schema });
    expect([inputIn({ input: { a: 1 } }), inputIn({ a: 1 }), inputIn(null)]).toEqual([
      { a: 1 },
      undefined,
      undefined,
    ]);
  },
);

test('references lead to the same parts of a schema that is shown elsewhere', () => {
  const schema: InputSchema = {
    type: 'object',
    oneOf: [{ $ref: '#/$defs/leaf' }, { properties: { next: { $ref: '#' }, $ref: { type: 'string' } } }],
    $defs: { leaf: { $anchor: 'leaf', required: ['value'] }, again: { $ref: '#leaf' } },
  };
  expect(shownSchema(schema).schema['properties']).toEqual({
    input: {
      ...schema,
      oneOf: [
        { $ref: '#/properties/input/$defs/leaf' },
        { properties: { next: { $ref: '#/properties/input' }, $ref: { type: 'string' } } },
      ],
    },
  });
});
