import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Agent, Batch, Turn } from '@turnpike/contract';
import { createApiKey } from '@turnpike/store';
import type { Locator, Page } from 'playwright-core';
import { testInBrowser } from '../support/browser.ts';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { Receiver } from '../webhooks/support/receiver.ts';
import { ConsolePages } from './support.ts';

/* What each screen is for, done in it, and what has become of it in the API. */

const LIMIT_MS = 240_000;

let cluster: Cluster;
let receiver: Receiver;
const pages = new ConsolePages(LIMIT_MS);
let agent: Agent;
let operatorKey: string;
beforeAll(async () => {
  cluster = await Cluster.join();
  receiver = await Receiver.start();
  const { tenantId } = cluster;
  const scopes = ['admin', 'operator'] as const;
  operatorKey = (await createApiKey(cluster.database.pool, { tenantId, name: 'op', scopes: [...scopes] }))
    .key;
  await cluster.control.setScript({
    rules: [
      { match: { text: 'approve', step: 0 }, reply: { tool_uses: [{ name: 'current_time' }] } },
      { match: { text: 'show', step: 0 }, reply: { tool_uses: [{ name: 'show' }] } },
      { match: { step: 1 }, reply: { text: 'All is done.' } },
      { reply: { text: 'Hello back.' } },
    ],
  });
  agent = await cluster.createAgent({
    name: 'Acts',
    tools: [
      { type: 'client', name: 'show', description: 'Shows a text.', input_schema: { type: 'object' } },
      { type: 'builtin', name: 'current_time', requires_approval: true },
    ],
  });
});
afterAll(async () => {
  await pages.close();
  await receiver.stop();
  await cluster.stop();
});

/** What is done on a screen. */
function testOfScreen(name: string, path: string, act: (page: Page) => Promise<void>): void {
  testInBrowser(
    name,
    async () => {
      const page = await pages.open(cluster.url, operatorKey, path);
      await act(page);
      await page.context().close();
    },
    LIMIT_MS,
  );
}

const button = (within: Page | Locator, name: string): Locator =>
  within.getByRole('button', { name, exact: true });

/** Asks first: the button that does it is in a dialog. */
async function confirm(page: Page, label: string, within: Page | Locator = page): Promise<void> {
  await button(within, label).click();
  await button(page.getByRole('dialog'), label).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

async function read<Body>(path: string): Promise<Body> {
  return (await cluster.request('GET', path)).body as Body;
}

testOfScreen(
  'an endpoint is made, pinged, its delivery is looked at and sent again, and its secret is rotated',
  '/webhooks',
  async (page) => {
    const url = `${receiver.url}/console`;
    await button(page, 'New endpoint').click();
    await page.getByLabel('URL that receives all events').fill(url);
    await page.getByLabel('Format').selectOption('openai');
    await button(page, 'Create').click();
    const secret = page.getByLabel('Signing secret: it is shown only now');
    expect(await secret.inputValue()).toMatch(/^whsec_/);
    const first = await secret.inputValue();
    await page.keyboard.press('Escape');

    const card = page.getByRole('article', { name: `Endpoint ${url}` });
    await card.getByText('format: openai').waitFor();
    await button(card, 'Ping').click();
    await untilTrue('it has come', () => receiver.at('/console').length === 1);
    const row = page.getByRole('row').filter({ hasText: 'ping' });
    await row.getByText('delivered').waitFor();
    await row.getByRole('link').first().click();
    await page.getByRole('heading', { name: 'Delivery delivered' }).waitFor();
    await button(page, 'Redeliver').click();
    await untilTrue('it has come again', () => receiver.at('/console').length === 2);

    await page.goto(`${cluster.url}/console/webhooks`);
    await button(card, 'Rotate secret').click();
    await button(page.getByRole('dialog'), 'Rotate').click();
    expect(await secret.inputValue()).toMatch(/^whsec_/);
    expect(await secret.inputValue()).not.toBe(first);
    await page.keyboard.press('Escape');
    await button(card, 'Disable').click();
    await button(card, 'Enable').waitFor();
    const { items } = await read<{ items: object[] }>('/v1/webhook_endpoints');
    expect(items).toMatchObject([{ url, format: 'openai', enabled: false, disabled_reason: 'requested' }]);
  },
);

testOfScreen(
  'an agent is edited, two versions of it are compared, and the older one is restored',
  '/agents',
  async (page) => {
    const { id } = await cluster.createAgent({ name: 'Edited', system: 'You help.' });
    await page.reload();
    await page.getByRole('link', { name: 'Edited' }).click();
    await page.getByRole('tab', { name: 'Edit' }).click();
    const form = page.getByLabel('Configuration: saving it makes a new version');
    const text = await form.inputValue();
    await form.fill(`${text.slice(0, -1)} broken`);
    await button(page, 'Save').click();
    await page.getByRole('alert').waitFor();
    await form.fill(text.replace('You help.', 'You help briefly.'));
    await button(page, 'Save').click();
    await page.getByRole('tab', { name: 'Versions' }).click();
    await page.getByText('Version 1 beside version 2, the newest.').waitFor();
    const differs = await page.getByRole('region', { name: 'What differs' }).innerText();
    expect(differs).toMatch(/−\s+"system": "You help\."/);
    expect(differs).toMatch(/\+\s+"system": "You help briefly\."/);
    await confirm(page, 'Restore version 1');
    await page.getByText('beside version 3, the newest.').waitFor();
    expect(await read(`/v1/agents/${id}`)).toMatchObject({ version: 3, system: 'You help.' });
  },
);

testOfScreen('what was used is shown, and a budget is set and deleted', '/usage', async (page) => {
  const { id } = await cluster.submit({ agentId: agent.id }, 'Hello');
  await cluster.untilEnded(id);
  await page.reload();
  await page.getByRole('region', { name: 'Usage by model' }).getByText('claude-sonnet-4-5').waitFor();
  await page.getByRole('region', { name: 'Usage by agent' }).getByText(agent.id).waitFor();
  await page.getByLabel('Dollars').fill('5');
  await button(page, 'Set budget').click();
  const budget = page.getByRole('article', { name: 'Budget of a day, set by the tenant' });
  await budget.waitFor();
  const budgets = (): Promise<{ items: object[] }> => read('/v1/budgets');
  expect((await budgets()).items).toMatchObject([{ period: 'day', limit_micros: 5_000_000 }]);
  await confirm(page, 'Delete budget', budget);
  await budget.waitFor({ state: 'detached' });
  expect((await budgets()).items).toEqual([]);
});

testOfScreen('a key is made, shown once, and revoked', '/settings', async (page) => {
  await button(page, 'New key').click();
  await page.getByLabel('Name').fill('from the console');
  await button(page, 'Create').click();
  const key = await page.getByLabel('API key: it is shown only now').inputValue();
  const status = async (): Promise<number> =>
    (await cluster.request('GET', '/v1/turns', undefined, { authorization: `Bearer ${key}` })).status;
  expect(await status()).toBe(200);
  await page.keyboard.press('Escape');
  const row = page.getByRole('row').filter({ hasText: 'from the console' });
  expect(await row.innerText()).not.toContain(key);
  await confirm(page, 'Revoke', row);
  await row.getByText('revoked').waitFor();
  await untilTrue('the key is refused', async () => (await status()) === 401);
});

testOfScreen('a batch is paused, resumed and cancelled', '/batches', async (page) => {
  const lines = Array.from({ length: 3 }, (_, index) => ({
    custom_id: String(index),
    agent_id: agent.id,
    input: 'show me',
  }));
  const { body } = await cluster.request('POST', '/v1/batches', { items: lines });
  const { id } = body as Batch;
  await page.reload();
  const card = page.getByRole('article', { name: `Batch ${id}` });
  for (const [act, status] of [
    ['Pause', 'paused'],
    ['Resume', 'in_progress'],
  ] as const) {
    await button(card, act).click();
    await card.getByRole('heading', { name: status.replace('_', ' ') }).waitFor();
    expect(await read(`/v1/batches/${id}`)).toMatchObject({ status });
  }
  await confirm(page, 'Cancel batch', card);
  await card.getByRole('heading', { name: 'cancelled' }).waitFor();
  expect(await read(`/v1/batches/${id}`)).toMatchObject({ status: 'cancelled' });
});

testOfScreen(
  'one talks to an agent in the playground, approves a call there, and forks the session',
  '/playground',
  async (page) => {
    await page.getByLabel('Agent').selectOption(agent.id);
    await page.getByLabel('Message').fill('Please approve.');
    await button(page, 'Start').click();
    await button(page, 'Approve').click();
    await page.getByText('All is done.').first().waitFor();
    const sessionId = page.url().split('/').at(-1);
    await page.getByRole('textbox', { name: 'Message' }).fill('Hello again');
    await page.keyboard.press('Control+Enter');
    await page.getByText('Hello back.').first().waitFor();
    await button(page, 'Fork').click();
    await page.getByText('Fork of').waitFor();
    const fork = await read<{ forked_from: object; turn_count: number }>(
      `/v1/sessions/${page.url().split('/').at(-1)}`,
    );
    expect(fork).toMatchObject({ forked_from: { session_id: sessionId } });
  },
);

testOfScreen('a turn is made again after a look at what would happen again', '/turns', async (page) => {
  const submitted = await cluster.submit({ agentId: agent.id }, 'show me');
  const waiting = await cluster.until(submitted.id, ['requires_action']);
  const output = { tool_call_id: waiting.required_action?.tool_calls[0]?.id, output: 'Seen.' };
  await cluster.request('POST', `/v1/turns/${submitted.id}/tool_outputs`, { tool_outputs: [output] });
  await cluster.untilEnded(submitted.id);
  await page.goto(`${cluster.url}/console/turns/${submitted.id}`);
  await button(page, 'Make again').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('may have changed something, and may happen again').waitFor();
  await dialog.getByText('show').first().waitFor();
  await button(dialog, 'Make again').click();
  await page.getByRole('heading', { name: 'requires action' }).waitFor();
  const again = page.url().split('/').at(-1) ?? '';
  expect(again).not.toBe(submitted.id);
  expect(await read<Turn>(`/v1/turns/${again}`)).toMatchObject({ agent_id: agent.id });
  await button(page, 'Cancel turn').click();
  await button(page.getByRole('dialog'), 'Cancel turn').click();
  await cluster.untilEnded(again);
});

testOfScreen('an operator pauses a tenant, whose turns wait, and resumes it', '/tenants', async (page) => {
  const { tenantId } = cluster;
  await page.getByLabel('Name or id').fill(tenantId);
  await page.keyboard.press('Enter');
  const row = page.getByRole('row').filter({ hasText: tenantId });
  await row.getByText('active').waitFor();
  await row.getByRole('button', { name: /^Pause tenant/ }).click();
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^Pause tenant/ })
    .click();
  await row.getByText('paused').waitFor();
  const { id } = await cluster.submit({ agentId: agent.id }, 'Hello');
  await page.reload();
  await row.getByText('1, since').waitFor();
  expect(await cluster.read(id)).toMatchObject({ status: 'queued', attempts: 0 });
  await row.getByRole('button', { name: /^Resume tenant/ }).click();
  await row.getByText('active').waitFor();
  expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed' });
});

testOfScreen('an operator sees the workers, and pauses and resumes a pool', '/workers', async (page) => {
  const workers = page.getByRole('region', { name: 'Live workers' });
  // The heading, and two workers.
  await workers.getByRole('row').nth(2).waitFor();
  await page
    .getByRole('article', { name: 'Pool default' })
    .getByText(/^\d+ of \d+$/)
    .waitFor();
  // A pool of this test's own: others use the workers of the default one.
  const headers = { authorization: `Bearer ${operatorKey}` };
  await cluster.request('POST', '/v1/operator/pools/console-test/pause', undefined, headers);
  await page.reload();
  const pool = page.getByRole('article', { name: 'Pool console-test' });
  await pool.getByRole('heading', { name: 'paused console-test' }).waitFor();
  await button(pool, 'Resume pool console-test').click();
  // Nothing is known of it any longer.
  await pool.waitFor({ state: 'detached' });
});

test('an operator’s screens are shown to nobody else', async () => {
  const headers = { 'x-turnpike-console': '1', authorization: `Bearer ${cluster.apiKey}` };
  const session = await fetch(`${cluster.url}/console/session`, { headers });
  expect(((await session.json()) as { scopes: string[] }).scopes).not.toContain('operator');
});

testOfScreen(
  'of a long session the newest messages are seen first, and earlier ones are asked for',
  '/sessions',
  async (page) => {
    const { body } = await cluster.request('POST', '/v1/sessions', { agent_id: agent.id });
    const { id } = body as { id: string };
    for (let number = 0; number < 30; number++) {
      const submitted = await cluster.request('POST', `/v1/sessions/${id}/turns`, {
        input: `Message ${number}.`,
      });
      await cluster.untilEnded((submitted.body as Turn).id);
    }
    await page.goto(`${cluster.url}/console/sessions/${id}`);
    await page.getByText('Message 29.').waitFor();
    expect(await page.getByText('Message 2.').count()).toBe(0);
    await button(page, 'Show earlier messages').click();
    await page.getByText('Message 2.').waitFor();
    const texts = await page.getByText(/^Message \d+\.$/).allInnerTexts();
    expect(texts).toEqual(Array.from({ length: 30 }, (_, number) => `Message ${number}.`));
  },
);
