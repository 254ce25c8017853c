import type { InputSchema } from '@turnpike/contract';

/** Each definition refers twice to the next one. */
export function doublingSchema(levels: number): InputSchema {
  const twice = (level: number) => ({ allOf: [{ $ref: `#/$defs/${level}` }, { $ref: `#/$defs/${level}` }] });
  const $defs = Object.fromEntries(Array.from({ length: levels }, (_, level) => [level, twice(level + 1)]));
  return { type: 'object', properties: { a: twice(0) }, $defs: { ...$defs, [levels]: { type: 'object' } } };
}

/** Its check takes twice as long for each level of an input. */
export const ENDLESS_SCHEMA: InputSchema = {
  type: 'object',
  $ref: '#/$defs/node',
  $defs: {
    node: {
      allOf: [
        { properties: { a: { $ref: '#/$defs/node' } } },
        { properties: { a: { $ref: '#/$defs/node' } } },
      ],
    },
  },
};
