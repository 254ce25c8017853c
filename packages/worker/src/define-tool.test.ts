import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { checkTools } from './check-tools.ts';
import { defineTool, type ToolSettings } from './define-tool.ts';

const input = z.object({ city: z.string() });
const forecast = {
  name: 'forecast',
  description: 'Tells the weather.',
  input,
  effect: 'read',
  run: ({ city }: { city: string }) => `Sunny in ${city}.`,
} as const;

test('a tool has the JSON Schema of its input, defaults, and a hash of all that is data', () => {
  const tool = defineTool(forecast);
  expect(tool).toMatchObject({
    type: 'code',
    name: 'forecast',
    inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    outputSchema: null,
    effect: 'read',
    onUnknown: 'tell_model',
    timeoutMs: 30_000,
    secrets: [],
    isolate: null,
  });
  expect(defineTool({ ...forecast, run: () => 'Rain.' }).hash).toBe(tool.hash);
  expect(defineTool({ ...forecast, effect: 'once' }).hash).not.toBe(tool.hash);
});

test('the types give run its input and its secrets, and ask for reconcile exactly where the effect says so', () => {
  defineTool({
    ...forecast,
    secrets: ['weather_key'],
    run: ({ city }, call) => {
      const key: string = call.secrets.weather_key;
      // @ts-expect-error: the tool does not name this secret.
      void call.secrets.other;
      return `${city} ${key.length}`;
    },
  });
  const asked = {
    ...forecast,
    effect: 'reconcile',
    reconcile: () => ({ outcome: 'not_done' as const }),
  } as const;
  expect(defineTool(asked).code.reconcile).not.toBeNull();
  // @ts-expect-error: reconcile is missing.
  expect(() => defineTool({ ...forecast, effect: 'reconcile' })).toThrow('reconcile is required');
  // @ts-expect-error: reconcile is of no use here.
  expect(() => defineTool({ ...asked, effect: 'once' })).toThrow('reconcile is required for the effect');
  const output = z.object({ degrees: z.number() });
  defineTool({ ...forecast, output, run: () => ({ degrees: 20 }) });
  // @ts-expect-error: the output has another type.
  defineTool({ ...forecast, output, run: () => ({ degrees: 'mild' }) });
});

test('a tool may return what has an interface or came from elsewhere, and a step gives what JSON keeps of its result', () => {
  interface Order {
    id: string;
    cents?: number | undefined;
  }
  const order = { id: 'o-1' } as Order;
  defineTool({ ...forecast, run: () => [order] });
  defineTool({ ...forecast, run: async (_input, call) => (await call.fetch('https://shop.invalid')).json() });
  defineTool({
    ...forecast,
    async run(_input, call) {
      const kept: Order = await call.step('order', { effect: 'read' }, () => Promise.resolve(order));
      const [at]: string[] = await call.step('times', { effect: 'read' }, () => [new Date()]);
      const nothing: void = await call.step('nothing', { effect: 'read' }, () => undefined);
      const data: unknown = await call.step('data', { effect: 'read' }, (): unknown => 1);
      // @ts-expect-error: a text, by now.
      at?.getTime();
      return [kept, at, nothing, data];
    },
  });
});

const schemaOf = (jsonSchema: unknown): unknown => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) => ({ value }),
    ...(jsonSchema === undefined
      ? {}
      : { jsonSchema: { input: () => jsonSchema, output: () => jsonSchema } }),
  },
});

test.each([
  ['a name that the API refuses', { name: 'send invoice' }, 'name must be 1 to 64'],
  ['no description', { description: '' }, 'description'],
  ['an unknown effect', { effect: 'twice' }, 'effect'],
  ['an unknown field', { retries: 3 }, 'retries'],
  ['no function', { run: 'curl' }, 'run must be a function'],
  ['a timeout of a week', { timeoutMs: 604_800_000 }, 'timeoutMs'],
  ['a secret twice', { secrets: ['key', 'key'] }, 'names a secret twice'],
  ['a secret of a name that no secret has', { secrets: ['my key'] }, 'secrets.0 must be 1 to 128'],
  ['an isolated module that is no URL', { isolate: { module: './tool.ts' } }, 'import.meta.url'],
  ['an input that is no schema', { input: { type: 'object' } }, 'is not a schema'],
  ['an input without JSON Schema', { input: schemaOf(undefined) }, 'yields no JSON Schema'],
  ['an input that is no object', { input: z.string() }, 'The input of forecast must be an object'],
  [
    'an input that JSON Schema cannot express',
    { input: z.object({ at: z.date() }) },
    'Date cannot be represented',
  ],
  ['an input that the model API refuses', { input: z.object({ 'a b': z.string() }) }, 'properties.a b'],
  ['a union', { input: schemaOf({ type: 'object', anyOf: [] }) }, 'no oneOf, anyOf or allOf'],
])('a tool with %s is refused where it is defined', (_title, change, message) => {
  const define = (): unknown =>
    defineTool({ ...forecast, ...change } as unknown as ToolSettings<typeof input>);
  expect(define).toThrow(TypeError);
  expect(define).toThrow(message);
});

test('two different tools of one name are refused, and one tool that is named twice is one', () => {
  const tool = defineTool(forecast);
  expect(checkTools([tool, tool])).toEqual([tool]);
  expect(() => checkTools([tool, defineTool(forecast)])).toThrow('Two tools are called forecast.');
  expect(() => checkTools([forecast as never])).toThrow('not made with defineTool()');
});
