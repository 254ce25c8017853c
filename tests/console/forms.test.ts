import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import type { Locator } from 'playwright-core';
import { EverythingServer } from '../mcp/support/everything-server.ts';
import { callTools, outputOf, registerServer } from '../mcp/support/mcp-cluster.ts';
import { testInBrowser } from '../support/browser.ts';
import { Cluster } from '../support/cluster.ts';
import { ConsolePages, findViolations } from './support.ts';

/* Forms that are made from JSON Schemas. */

const LIMIT_MS = 120_000;

let cluster: Cluster;
let everything: EverythingServer;
const pages = new ConsolePages(LIMIT_MS);
beforeAll(async () => {
  [cluster, everything] = await Promise.all([Cluster.join(), EverythingServer.start()]);
  await registerServer(cluster, 'all', everything.url, {
    overrides: { 'trigger-elicitation-request': { effect: 'idempotent' } },
  });
});
afterAll(async () => {
  await pages.close();
  everything.stop();
  await cluster.stop();
});

async function askedTurn(): Promise<Turn> {
  const agent = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'all' }] });
  const { id } = await callTools(cluster, agent.id, [{ name: 'all__trigger-elicitation-request' }]);
  return cluster.until(id, ['requires_action']);
}

const problems = (within: Locator): Promise<string[]> => within.locator('.wrong').allInnerTexts();

testInBrowser(
  'the form of an MCP server asks for what it needs, says what is wrong beside the field, and gives its answer',
  async () => {
    const turn = await askedTurn();
    const page = await pages.open(cluster.url, cluster.apiKey, '/inbox');
    const form = page.getByRole('region', { name: `Turn ${turn.id}` }).locator('form');
    const submit = form.getByRole('button', { name: 'Answer' });
    await submit.click();
    expect(await problems(form)).toEqual(['This is required.']);
    await form.getByLabel('action').selectOption('accept');
    // What is accepted has content, of which a name is required and an age of 42 is a default.
    await submit.click();
    expect(await problems(form)).toEqual(['This is required.']);
    await form.getByLabel('String', { exact: true }).fill('Ada Lovelace');
    await form.getByLabel('Boolean').selectOption('No');
    await form.getByLabel('Integer').fill('101');
    const several = form.getByRole('group', { name: 'Untitled Multiple Select Enum' });
    await several.getByLabel('Guitar').uncheck();
    await submit.click();
    expect(await problems(form)).toEqual(['This must be 100 or less.']);
    await form.getByLabel('Integer').fill('7');
    for (const name of ['Piano', 'Drums']) await several.getByLabel(name).check();
    await form
      .getByLabel('Titled Single Select Enum (optional)', { exact: true })
      .selectOption('Green Lantern');
    await form.getByLabel('email').fill('ada@example.com');
    expect(await findViolations(page)).toEqual([]);
    await submit.click();
    expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
    const output = await outputOf(cluster, turn.id);
    const given = /"content": (\{[^}]*\})/.exec(output)?.[1] ?? output;
    expect(JSON.parse(given)).toMatchObject({
      name: 'Ada Lovelace',
      check: false,
      integer: 7,
      number: 3.14,
      email: 'ada@example.com',
      untitledMultipleSelectEnum: ['Piano', 'Drums'],
      titledSingleSelectEnum: 'hero-2',
    });
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'what an answer requires no more is not asked for',
  async () => {
    const turn = await askedTurn();
    const page = await pages.open(cluster.url, cluster.apiKey, `/sessions/${turn.session_id}`);
    await page.getByLabel('action').selectOption('accept');
    await page.getByLabel('String', { exact: true }).waitFor();
    await page.getByLabel('action').selectOption('decline');
    await page.getByLabel('String', { exact: true }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Answer' }).click();
    expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
    expect(await outputOf(cluster, turn.id)).toContain('declined');
    await page.context().close();
  },
  LIMIT_MS,
);

const ORDER = {
  type: 'object',
  $defs: {
    node: {
      type: 'object',
      properties: { label: { type: 'string' }, parts: { type: 'array', items: { $ref: '#/$defs/node' } } },
      required: ['label'],
    },
  },
  properties: {
    root: { $ref: '#/$defs/node' },
    gift: { type: ['boolean', 'null'] },
    extra: {},
    note: { anyOf: [{ type: 'string', minLength: 3 }, { type: 'null' }] },
    amounts: { type: 'array', items: { type: 'number' }, minItems: 1 },
  },
  required: ['root', 'gift', 'amounts'],
};

testInBrowser(
  'in the playground, the input of a tool with lists, references and parts of any form is made in a form',
  async () => {
    const agent = await cluster.createAgent({
      name: 'Orders',
      tools: [{ type: 'client', name: 'order', description: 'Orders things.', input_schema: ORDER }],
    });
    const page = await pages.open(cluster.url, cluster.apiKey, `/playground?agent=${agent.id}`);
    await page.getByText('Ask for a tool call').click();
    const form = page.locator('details form');
    const submit = form.getByRole('button', { name: 'Write the message' });
    await form.getByLabel('label').fill('trunk');
    await form.getByRole('group', { name: 'parts' }).getByRole('button', { name: 'Add' }).click();
    await form.getByLabel('label').nth(1).fill('branch');
    await form.getByLabel('extra').fill('[1,');
    await form.getByLabel('note').fill('ab');
    await submit.click();
    // No message is written with a field that is wrong.
    expect(await page.getByLabel('Message').inputValue()).toBe('');
    await form.getByLabel('gift').selectOption('No');
    await form.getByLabel('1', { exact: true }).fill('2.5');
    await submit.click();
    // The API stores a schema's properties in an order of its own.
    expect((await problems(form)).toSorted()).toEqual([
      'At least 3 characters, please.',
      'This is not JSON.',
    ]);
    await form.getByLabel('extra').fill('[1, {"a": null}]');
    await form.getByLabel('note').fill('');
    await submit.click();
    const message = await page.getByLabel('Message').inputValue();
    expect(message).toContain('Call the tool order');
    expect(JSON.parse(message.slice(message.indexOf('{')))).toEqual({
      root: { label: 'trunk', parts: [{ label: 'branch' }] },
      gift: false,
      extra: [1, { a: null }],
      amounts: [2.5],
    });
    await page.context().close();
  },
  LIMIT_MS,
);
