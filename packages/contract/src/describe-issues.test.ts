import { expect, test } from '@jest/globals';
import {
  createAgentSchema,
  createToolSchema,
  newId,
  startTurnSchema,
  submitToolOutputsSchema,
  type ValidationIssue,
} from './index.ts';
import { z } from 'zod';
import { describeIssues } from './describe-issues.ts';

function issuesOf(schema: z.ZodType, given: unknown): ValidationIssue[] {
  const { error } = schema.safeParse(given);
  return error === undefined ? [] : describeIssues(error, given);
}

const agent_id = newId('agent');
const tool_call_id = newId('toolCall');
const turn = (input: unknown) => issuesOf(startTurnSchema, { agent_id, input });
const toolOutput = (output: object) => issuesOf(submitToolOutputsSchema, { tool_outputs: [output] });

test.each<[string, () => ValidationIssue[], string, string]>([
  ['an input that is missing', () => turn(undefined), 'input', 'is missing: it must be a string or an array'],
  ['an input of another type', () => turn(5), 'input', 'must be a string or an array'],
  ['an input that is null', () => turn(null), 'input', 'must be a string or an array'],
  ['a text of white space', () => turn(' '), 'input', 'must contain more than white space'],
  ['a block that is no object', () => turn([5]), 'input.0', 'must be an object'],
  [
    'a block of an unknown type',
    () => turn([{ type: 'file' }]),
    'input.0.type',
    'must be "text", "image" or "document"',
  ],
  [
    'a block without a type',
    () => turn([{ text: 'Hi' }]),
    'input.0.type',
    'is missing: it must be "text", "image" or "document"',
  ],
  [
    'a text block without text',
    () => turn([{ type: 'text' }]),
    'input.0.text',
    'is missing: it must be a string',
  ],
  [
    'a source of an unknown type',
    () => turn([{ type: 'image', source: { type: 'path', path: 'a.png' } }]),
    'input.0.source.type',
    'must be "base64", "url" or "file"',
  ],
  [
    'a field deep inside that is not known',
    () => turn(['', { type: 'text', text: 'Hi', cache: 1 }].slice(1)),
    'input.0.cache',
    'is not a known field',
  ],
  [
    'a tool output without content',
    () => toolOutput({ tool_call_id }),
    'tool_outputs.0',
    'needs `output`, `approved`, `outcome`, `send_again` or `answer`',
  ],
  [
    'a tool output of another type',
    () => toolOutput({ tool_call_id, output: 5 }),
    'tool_outputs.0.output',
    'must be a string or an array',
  ],
  [
    'a tool output with a wrong block',
    () => toolOutput({ tool_call_id, output: [{ type: 'text', text: 5 }] }),
    'tool_outputs.0.output.0.text',
    'must be a string',
  ],
  [
    'an approval that is no boolean',
    () => toolOutput({ tool_call_id, approved: 'yes' }),
    'tool_outputs.0.approved',
    'must be true or false',
  ],
  [
    'a denial with a reason of another type',
    () => toolOutput({ tool_call_id, approved: false, reason: 5 }),
    'tool_outputs.0.reason',
    'must be a string',
  ],
  [
    'an outcome that there is not',
    () => toolOutput({ tool_call_id, outcome: 'known' }),
    'tool_outputs.0.outcome',
    'must be "unknown"',
  ],
  [
    'a header of another type',
    () => issuesOf(createToolSchema, { ...TOOL, headers: { 'x-key': 5 } }),
    'headers.x-key',
    'must be a string or an object',
  ],
  [
    'a header with a field that is not known',
    () => issuesOf(createToolSchema, { ...TOOL, headers: { 'x-key': { secret: 's', version: 1 } } }),
    'headers.x-key.version',
    'is not a known field',
  ],
  [
    'a header whose name cannot be one',
    () => issuesOf(createToolSchema, { ...TOOL, headers: { 'x key': 'v' } }),
    'headers.x key',
    'must be a header name',
  ],
  [
    'a tool of an agent of an unknown type',
    () => issuesOf(createAgentSchema, { name: 'a', model: 'm', tools: [{ type: 'shell' }] }),
    'tools.0.type',
    'must be "builtin", "code", "http", "client", "memory", "server", "agent" or "mcp"',
  ],
  [
    'a part of a value that is parsed from text',
    () => issuesOf(z.object({ status: LIST_OF_STATUSES }), { status: 'queued,done' }),
    'status.1',
    'must be "queued" or "failed"',
  ],
  [
    'a word of a list that it is not in',
    () => issuesOf(z.object({ status: z.enum(['queued', 'failed']) }), { status: 'done' }),
    'status',
    'must be "queued" or "failed"',
  ],
])('%s: each issue is reported once, in words, with its path', (_title, found, path, message) => {
  expect(found()).toEqual([{ path, message }]);
});

test('a misspelt field of a tool output is reported beside the missing ones', () => {
  expect(toolOutput({ tool_call_id, aproved: true })).toEqual([
    { path: 'tool_outputs.0', message: 'needs `output`, `approved`, `outcome`, `send_again` or `answer`' },
    { path: 'tool_outputs.0.aproved', message: 'is not a known field' },
  ]);
});

test('issues beside a union are reported too', () => {
  const given = { agent_id: 'x', input: [{ type: 'text', text: '' }], colour: 1 };
  const paths = issuesOf(startTurnSchema, given).map(({ path }) => path);
  expect(paths.toSorted()).toEqual(['agent_id', 'colour', 'input.0.text']);
});

const LIST_OF_STATUSES = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(['queued', 'failed'])));

const TOOL = {
  name: 't',
  description: 'A tool.',
  input_schema: { type: 'object' },
  url: 'https://tools.invalid/',
};
