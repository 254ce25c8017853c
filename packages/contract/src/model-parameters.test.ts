import { expect, test } from '@jest/globals';
import { createAgentSchema } from './agents.ts';

const schema = { type: 'object' as const, properties: { city: { type: 'string' } } };
const tool = { type: 'client', name: 'ask', description: 'Asks.', input_schema: schema };

function issuesOf(config: object): string[] {
  const agent = { name: 'a', model: 'claude-of-a-gateway', ...config };
  const parsed = createAgentSchema.safeParse(agent);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test.each<[parameters: object, accepts: string, refuses: string, issue: string]>([
  [
    { thinking: { type: 'adaptive' } },
    'claude-opus-4-6',
    'claude-sonnet-4-5',
    'thinking.type: claude-sonnet-4-5 does not accept thinking of the type adaptive; it accepts enabled, disabled',
  ],
  [
    { thinking: { type: 'enabled', budget_tokens: 2_000 } },
    'claude-sonnet-4-5-20250929',
    'claude-opus-4-7',
    'thinking.type: claude-opus-4-7 does not accept thinking of the type enabled; it accepts adaptive, disabled',
  ],
  [
    { thinking: { type: 'disabled' } },
    'claude-opus-4-8',
    'claude-fable-5',
    'thinking.type: claude-fable-5 does not accept thinking of the type disabled; it accepts adaptive',
  ],
  [
    { effort: 'xhigh' },
    'claude-opus-4-7',
    'claude-opus-4-5',
    'effort: claude-opus-4-5 does not accept the effort xhigh; it accepts low, medium, high',
  ],
  [
    { effort: 'low' },
    'claude-opus-4-5-20251101',
    'claude-haiku-4-5',
    'effort: claude-haiku-4-5 does not accept the effort low',
  ],
  [
    { output_format: { type: 'json_schema', schema } },
    'claude-haiku-4-5',
    'claude-3-5-haiku-20241022',
    'output_format: claude-3-5-haiku-20241022 does not accept an output format',
  ],
  [
    { tools: [{ ...tool, strict: true }] },
    'claude-sonnet-4-5',
    'claude-3-7-sonnet-latest',
    'tools.0.strict: claude-3-7-sonnet-latest does not accept strict tools',
  ],
  [
    { temperature: 0.5 },
    'claude-opus-4-6',
    'claude-opus-4-7',
    'temperature: claude-opus-4-7 does not accept temperature',
  ],
  [{ top_p: 0.5 }, 'claude-opus-4-6', 'claude-mythos-5', 'top_p: claude-mythos-5 does not accept top_p'],
  [{ top_k: 5 }, 'claude-opus-4-6', 'claude-opus-4-8', 'top_k: claude-opus-4-8 does not accept top_k'],
])('%j is for models that accept it: %s, and not %s', (parameters, accepts, refuses, issue) => {
  expect(issuesOf({ model: accepts, ...parameters })).toEqual([]);
  expect(issuesOf({ model: refuses, ...parameters })).toEqual([issue]);
  // Of a model that is not known, nothing is said.
  expect(issuesOf(parameters)).toEqual([]);
});

test.each<[combination: object, issue: string]>([
  [
    { thinking: { type: 'adaptive' }, temperature: 0.5 },
    'temperature: must be 1 or omitted when thinking is enabled',
  ],
  [
    { thinking: { type: 'adaptive' }, top_p: 0.5 },
    'top_p: must be at least 0.95 or omitted when thinking is enabled',
  ],
  [{ thinking: { type: 'adaptive' }, top_k: 5 }, 'top_k: must be omitted when thinking is enabled'],
  [
    { thinking: { type: 'adaptive' }, tools: [tool], tool_choice: { type: 'any' } },
    'tool_choice.type: must be auto or none when thinking is enabled',
  ],
  [{ temperature: 0.5, top_p: 0.5 }, 'top_p: must be omitted where temperature is given'],
  [
    { tools: [tool], tool_choice: { type: 'tool', name: 'x' } },
    'tool_choice.name: must be the name of one of the tools',
  ],
  [{ tool_choice: { type: 'any' } }, 'tool_choice.type: needs at least one tool'],
  [
    { output_format: { type: 'json_schema', schema: { type: 'object', properties: { a: {} } } } },
    'output_format.schema.properties.a: must have one type, or a const or an enum of plain values, a $ref, anyOf, oneOf or allOf',
  ],
  [
    {
      system: Array.from({ length: 3 }, () => ({
        type: 'text',
        text: 'x',
        cache_control: { type: 'ephemeral' },
      })),
    },
    'system: at most 2 blocks may have cache_control',
  ],
])('%j is refused', (combination, issue) => {
  expect(issuesOf(combination)).toEqual([issue]);
});

const web = { type: 'server', name: 'web_search' };
test.each<[tool: object, issues: string[]]>([
  [web, []],
  [
    {
      ...web,
      max_uses: 3,
      allowed_domains: ['a.example'],
      user_location: { type: 'approximate', city: 'Oslo' },
    },
    [],
  ],
  [{ ...web, max_content_tokens: 5 }, ['tools.0.max_content_tokens: is no setting of web_search']],
  [
    { ...web, allowed_domains: ['a.example'], blocked_domains: ['b.example'] },
    ['tools.0.blocked_domains: must be omitted where allowed_domains is given'],
  ],
  [
    { type: 'server', name: 'code_execution', max_uses: 2 },
    ['tools.0.max_uses: is no setting of code_execution'],
  ],
])('the settings of a tool of the model API are its own: %j', (server, issues) => {
  expect(issuesOf({ tools: [server] })).toEqual(issues);
});

const format = (properties: object, more: object = {}) => ({
  output_format: { type: 'json_schema', schema: { type: 'object', properties, ...more } },
});
const NODE = { type: 'object', properties: { next: { $ref: '#/$defs/node' } } };
test.each<[schema: object, issue: string]>([
  [format({ a: { $ref: '#' } }), 'properties.a.$ref: must name a definition of the schema, as #/$defs/name'],
  [
    format({ a: { $ref: 'https://a.example/schema' } }),
    'properties.a.$ref: must name a definition of the schema, as #/$defs/name',
  ],
  [
    format({ a: { $ref: '#/definitions/a' } }, { definitions: { a: { type: 'string' } } }),
    'properties.a.$ref: must name a definition of the schema, as #/$defs/name',
  ],
  [
    format({ a: { $ref: '#/$defs/node' } }, { $defs: { node: NODE } }),
    '$defs.node.properties.next.$ref: leads back to node: the model API accepts no recursive schema',
  ],
  [
    format(
      {},
      {
        $defs: {
          a: { type: 'array', items: { $ref: '#/$defs/b' } },
          b: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/a' }] },
        },
      },
    ),
    '$defs.b.anyOf.1.$ref: leads back to a: the model API accepts no recursive schema',
  ],
  [
    format({ a: { allOf: [{ $ref: '#/$defs/b' }] } }, { $defs: { b: { type: 'string' } } }),
    'properties.a.allOf: must have no $ref in it',
  ],
  [
    format({ a: { enum: [{ b: 1 }] } }),
    'properties.a: must have one type, or a const or an enum of plain values, a $ref, anyOf, oneOf or allOf',
  ],
  [
    format({ a: { type: 'object', additionalProperties: { type: 'number' } } }),
    'properties.a.additionalProperties: is not written by the model, which only knows named properties: make it an array of names and values',
  ],
])('a schema that the model API refuses, or cannot fill, is refused: %j', (config, issue) => {
  expect(issuesOf(config)).toEqual([`output_format.schema.${issue}`]);
});

test('definitions may be used twice, and refer to others', () => {
  const $defs = {
    city: { type: 'object', properties: { name: { $ref: '#/$defs/name' }, other: { $ref: '#/$defs/name' } } },
    name: { type: 'string' },
  };
  const city = { $ref: '#/$defs/city' };
  expect(issuesOf(format({ from: city, to: city, $ref: { type: 'string' } }, { $defs }))).toEqual([]);
});

test('pages are not cited beside an output format', () => {
  const fetches = { type: 'server', name: 'web_fetch', citations: { enabled: true } };
  expect(issuesOf({ tools: [fetches] })).toEqual([]);
  expect(issuesOf({ tools: [fetches], ...format({ a: { type: 'string' } }) })).toEqual([
    'tools.0.citations: must be disabled or omitted beside an output_format',
  ]);
});

test('what the model API accepts together is accepted', () => {
  expect(issuesOf({ thinking: { type: 'disabled' }, temperature: 0.5 })).toEqual([]);
  expect(
    issuesOf({ thinking: { type: 'adaptive' }, top_p: 0.97, tools: [tool], tool_choice: { type: 'none' } }),
  ).toEqual([]);
  expect(issuesOf({ tools: [tool], tool_choice: { type: 'tool', name: 'ask' } })).toEqual([]);
});
