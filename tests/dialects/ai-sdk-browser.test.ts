import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Agent, Turn } from '@turnpike/contract';
import type { Browser, Page } from 'playwright-core';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { findViolations } from '../console/support.ts';
import { FAST, killHolder } from '../streams/support/mishaps.ts';
import { openBrowser, testInBrowser } from '../support/browser.ts';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { serveChatPage, type ChatPage } from './support/chat-page.ts';

const LIMIT_MS = 240_000;
const LONG = Array.from({ length: 120 }, (_, index) => `word${index} wört😀`).join(' ');
/** The last word before the model hangs is far from the first and from the last. */
const HANGS = { reply: { text: LONG }, fault: { type: 'hang', after_events: 60 } };
const BROKEN = 'The connection is broken.';
const COMPLETE = 'The answer is complete.';

let cluster: Cluster;
let agent: Agent;
let site: ChatPage;
/** Between the browser and the server of the page. */
let network: TcpProxy;
let browser: Browser | undefined;
let page: Page;
let shop: Server;
let orders = 0;

beforeAll(async () => {
  shop = createServer((_request, response) => {
    orders += 1;
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ordered":true}');
  }).listen(0, '127.0.0.1');
  await once(shop, 'listening');
  const address = shop.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  const environment = { ...FAST, DIALECTS: 'ai-sdk', EGRESS_ALLOW: '127.0.0.1' };
  cluster = await Cluster.start({ workers: 2, environment });
  await cluster.createTool({ name: 'order', url: `http://127.0.0.1:${address.port}/`, effect: 'once' });
  agent = await cluster.createAgent({
    tools: [{ type: 'http', name: 'order', requires_approval: true }],
  });
  site = await serveChatPage({ url: cluster.url, apiKey: cluster.apiKey, agent: agent.id });
  network = await startTcpProxy(site.port);
}, 600_000);
beforeEach(async () => {
  await cluster.control.reset();
  orders = 0;
});
afterEach(async () => {
  await page?.context().close();
});
afterAll(async () => {
  await browser?.close();
  await network.stop();
  await site.stop();
  shop.close();
  await cluster.stop();
});

const script = (rules: object[]): Promise<unknown> =>
  cluster.control.setScript({ defaults: { tokens_per_second: 200, chunk: 3 }, rules });

/** Opens a chat, new unless its address is given, and keeps what the page asked its server for. */
async function openPage(address = ''): Promise<string[]> {
  browser ??= await openBrowser();
  const context = await browser.newContext();
  page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const keys: string[] = [];
  page.on('request', (request) => {
    const key = request.headers()['authorization'];
    if (key !== undefined) keys.push(key);
  });
  await page.goto(address === '' ? `http://127.0.0.1:${network.port}/` : address);
  await page.getByLabel('Message', { exact: true }).waitFor();
  return keys;
}

async function send(text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const status = (text: string): Promise<void> => page.getByRole('status').filter({ hasText: text }).waitFor();

const articles = (name: string): Promise<string[]> =>
  page.getByRole('article', { name }).locator('.text').allTextContents();

/** Waits until the page shows the beginning of the answer, up to where the model hangs. */
async function untilItHangs(): Promise<void> {
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await untilTrue(
    'the page shows a beginning',
    async () => (await articles('Assistant')).join('').length > 100,
  );
}

/** Lets the model go on, also where its call is made again, until the page says that the answer is complete. */
async function releaseToTheEnd(): Promise<void> {
  await untilTrue('the answer is complete', async () => {
    await cluster.control.release();
    return (await page.getByRole('status').textContent()) === COMPLETE;
  });
}

/** Turns of the chat that the page shows, without copies, the newest last. */
async function turnsOfPage(): Promise<Turn[]> {
  const id = new URL(page.url()).searchParams.get('chat');
  const { body } = await cluster.request('GET', `/v1/turns?agent_id=${agent.id}&limit=100`);
  const turns = (body as { items: Turn[] }).items.toReversed();
  const { body: found } = await cluster.request('GET', `/v1/sessions?metadata[chat_id]=${id}`);
  const sessions = (found as { items: { id: string }[] }).items.map((session) => session.id);
  return turns.filter((turn) => sessions.includes(turn.session_id) && turn.copied_from === null);
}

async function expectOneAnswer(): Promise<void> {
  expect(await articles('You')).toEqual(['Slowly.']);
  expect(await articles('Assistant')).toEqual([LONG]);
  expect(await turnsOfPage()).toMatchObject([{ status: 'completed', output_text: LONG }]);
}

testInBrowser(
  'a page that is reloaded in the middle of an answer shows the same text to its end, and nothing twice',
  async () => {
    await script([HANGS]);
    const keys = await openPage();
    await send('Slowly.');
    await untilItHangs();
    await status('The answer is being written.');
    await page.reload();
    await untilTrue('the page shows the beginning again', async () =>
      (await articles('Assistant')).join('').startsWith('word0 '),
    );
    await releaseToTheEnd();
    await expectOneAnswer();
    expect(await findViolations(page)).toEqual([]);
    // After its end, another page shows it too.
    const address = page.url();
    await page.context().close();
    await openPage(address);
    await status(COMPLETE);
    await expectOneAnswer();
    expect(keys).toEqual([]);
  },
  LIMIT_MS,
);

testInBrowser(
  'an answer whose worker is killed in the middle goes on in the page, and nothing of it is there twice',
  async () => {
    await script([HANGS]);
    await openPage();
    await send('Slowly.');
    await untilItHangs();
    const [turn] = await turnsOfPage();
    await killHolder(cluster, turn?.id ?? '');
    await cluster.startWorker();
    await releaseToTheEnd();
    await expectOneAnswer();
    expect((await turnsOfPage())[0]?.attempts).toBeGreaterThan(1);
  },
  LIMIT_MS,
);

testInBrowser(
  'a page comes back by itself after its network was gone, its server was away and its laptop was closed',
  async () => {
    await script([HANGS]);
    await openPage();
    await send('Slowly.');
    await untilItHangs();

    // What is open breaks, and the browser says that it has no network.
    await page.context().setOffline(true);
    network.drop();
    await status(BROKEN);
    await page.context().setOffline(false);
    await status('The answer is being written.');

    await network.cut();
    await status(BROKEN);
    await network.restore();
    await status('The answer is being written.');

    // Connections that look open for ever, as after a laptop was closed.
    network.freeze();
    await releaseTurn();
    await page.evaluate("window.dispatchEvent(new Event('online'))");
    await status(COMPLETE);
    await expectOneAnswer();

    // A message that was sent into nothing arrives once.
    await network.cut();
    await send('Are you there?');
    await status(BROKEN);
    await network.restore();
    await releaseToTheEnd();
    expect(await articles('You')).toEqual(['Slowly.', 'Are you there?']);
    expect(await articles('Assistant')).toEqual([LONG, LONG]);
    expect(await turnsOfPage()).toHaveLength(2);
  },
  LIMIT_MS,
);

/** Lets the model go on until the turn has ended, whatever the page knows of it. */
async function releaseTurn(): Promise<void> {
  await untilTrue('the turn has ended', async () => {
    await cluster.control.release();
    return (await turnsOfPage())[0]?.status === 'completed';
  });
}

testInBrowser(
  'a tool call waits for Approve or Deny, also after a reload, and the answer is made again once what it would repeat is agreed to',
  async () => {
    await script([
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'order', input: { tea: 1 } }] } },
      { reply: { text: 'Tool said: {{tool_result}}' } },
    ]);
    await openPage();
    await send('Order tea.');
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    await status('The answer waits for you.');
    expect(await findViolations(page)).toEqual([]);
    await page.reload();
    await page.getByRole('button', { name: 'Approve' }).click();
    await status(COMPLETE);
    expect(orders).toBe(1);
    expect(await articles('Assistant')).toEqual(['Tool said: {"ordered":true}']);

    await page.getByRole('button', { name: 'Make the answer again' }).click();
    await page.getByText('A tool call of this answer may happen again: order (once).').waitFor();
    await untilTrue('the answer is back', async () => (await articles('Assistant')).length === 1);
    expect(await articles('Assistant')).toEqual(['Tool said: {"ordered":true}']);
    expect(await findViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Make it again anyway' }).click();
    await page.getByRole('button', { name: 'Deny' }).click();
    await status(COMPLETE);
    expect(orders).toBe(1);
    const [denied = ''] = await articles('Assistant');
    expect(denied).toMatch(/^Tool said: .*denied/);
    await page.reload();
    await status(COMPLETE);
    expect(await articles('You')).toEqual(['Order tea.']);
    expect(await articles('Assistant')).toEqual([denied]);
    expect(await turnsOfPage()).toHaveLength(2);
  },
  LIMIT_MS,
);

testInBrowser(
  'Stop ends the turn as cancelled, and the page says why an answer failed',
  async () => {
    await script([
      { match: { text: 'Fail' }, fault: { type: 'status', status: 400, message: 'Something is wrong.' } },
      HANGS,
    ]);
    await openPage();
    await send('Slowly.');
    await untilItHangs();
    await page.getByRole('button', { name: 'Stop' }).click();
    await status('The answer was stopped.');
    const [turn] = await turnsOfPage();
    expect(turn?.status).toBe('cancelled');
    const [shown = ''] = await articles('Assistant');
    expect(LONG.startsWith(shown)).toBe(true);

    await send('Fail.');
    await page.getByRole('alert').filter({ hasText: 'Something is wrong.' }).waitFor();
    expect((await turnsOfPage()).map(({ status: each }) => each)).toEqual(['cancelled', 'failed']);
  },
  LIMIT_MS,
);

test("the page's server passes on what the page needs, and nothing else", async () => {
  const { id: sessionId } = await cluster.submit({ agentId: agent.id }, 'A secret.').then((turn) => ({
    id: turn.session_id,
  }));
  const chat = '00000000-0000-4000-8000-000000000000';
  const ask = async (method: string, path: string, body?: object): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${site.port}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await response.text();
    return response.status;
  };
  expect(await ask('GET', `/api/chat/${chat}/messages`)).toBe(200);
  expect(await ask('GET', `/api/chat/${chat}/stream`)).toBe(204);
  expect(await ask('GET', `/api/chat/${sessionId}/messages`)).toBe(404);
  expect(await ask('GET', '/api/chat/..%2f..%2fv1%2fturns/messages')).toBe(404);
  expect(await ask('POST', `/api/chat/${chat}/messages`)).toBe(404);
  expect(await ask('GET', '/api/v1/turns')).toBe(404);
  expect(await ask('POST', '/api/chat', { id: sessionId, messages: [] })).toBe(404);
  expect(await ask('GET', '/../server/serve.mjs')).toBe(404);
});
