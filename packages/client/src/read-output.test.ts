import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { outputFormat, readOutput, TurnpikeOutputError } from './read-output.ts';
import type { Turn } from './wire/contract.ts';

const weather = z.object({ city: z.string(), degrees: z.int() });
const turn = (of: Partial<Turn>): Turn =>
  ({ id: 'turn_1', status: 'completed', output_parsed: null, ...of }) as Turn;

test('an output has the type of the schema that its format was made from', async () => {
  const output = await readOutput(turn({ output_parsed: { city: 'Oslo', degrees: 4 } }), weather);
  const city: string = output.city;
  expect([city, output.degrees]).toEqual(['Oslo', 4]);
});

test('a turn without such an output is an error that has the turn', async () => {
  const invalid = turn({ status: 'incomplete', stop_reason: 'output_invalid' });
  await expect(readOutput(invalid, weather)).rejects.toMatchObject({ turn: invalid });
  await expect(readOutput(turn({}), weather)).rejects.toBeInstanceOf(TurnpikeOutputError);
  await expect(readOutput(turn({ output_parsed: { city: 1 } }), weather)).rejects.toThrow(/does not fit: /);
});

test('an output format is made from the same schema', () => {
  expect(outputFormat(z.toJSONSchema(weather))).toMatchObject({
    type: 'json_schema',
    schema: { type: 'object', required: ['city', 'degrees'] },
  });
  expect(() => outputFormat(z.toJSONSchema(z.string()))).toThrow(TypeError);
});
