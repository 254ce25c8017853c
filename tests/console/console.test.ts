import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SCOPES, type Agent, type Schedule, type Turn } from '@turnpike/contract';
import { createApiKey, createTenant, revokeApiKey } from '@turnpike/store';
import type { Page } from 'playwright-core';
import { testInBrowser } from '../support/browser.ts';
import { Cluster } from '../support/cluster.ts';
import { findViolations, ConsolePages } from './support.ts';

const LIMIT_MS = 240_000;
/**
 * Markup, a link, characters that are not seen or turn the text around, and more than is drawn at first; few enough
 * tokens for one reply.
 */
const HOSTILE = `<img src=x onerror="window.hit = 1"><script>window.hit = 2</script><a href="javascript:window.hit = 3">link</a> \u202egnp.exe \u200b${'long '.repeat(1_000)}end`;

let cluster: Cluster;
const pages = new ConsolePages(LIMIT_MS);
let agent: Agent;
beforeAll(async () => {
  cluster = await Cluster.join();
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'hostile', step: 0 },
        reply: { tool_uses: [{ name: 'show', input: { text: HOSTILE } }] },
      },
      { match: { text: 'approve', step: 0 }, reply: { tool_uses: [{ name: 'current_time' }] } },
      { match: { step: 1 }, reply: { text: 'All is done.' } },
    ],
  });
  agent = await cluster.createAgent({
    tools: [
      { type: 'client', name: 'show', description: 'Shows a text.', input_schema: { type: 'object' } },
      { type: 'builtin', name: 'current_time', requires_approval: true },
    ],
  });
});
afterAll(async () => {
  await pages.close();
  await cluster.stop();
});

/** The screens that name nothing of the tenant. */
const SCREENS = [
  '/turns',
  '/inbox',
  '/sessions',
  '/playground',
  '/agents',
  '/tools',
  '/webhooks',
  '/usage',
  '/batches',
  '/schedules',
  '/settings',
  '/workers',
  '/tenants',
];

const openConsole = (path = '', key = cluster.apiKey): Promise<Page> => pages.open(cluster.url, key, path);

async function waitingTurn(text: string): Promise<Turn> {
  const { id } = await cluster.submit({ agentId: agent.id }, text);
  return cluster.until(id, ['requires_action']);
}

const dailySchedule = async (): Promise<Schedule> =>
  (
    await cluster.request('POST', '/v1/schedules', {
      name: 'Every day',
      timing: { type: 'cron', expression: '0 9 * * *', time_zone: 'Europe/Lisbon' },
      turn: { agent_id: agent.id, input: 'What is new?' },
    })
  ).body as Schedule;

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${cluster.url}${path}`, { redirect: 'manual', ...init });

test('the page may load nothing from elsewhere, comes compressed, and is small at first view', async () => {
  const response = await ask('/console/turns', { headers: { 'accept-encoding': 'br' } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-encoding')).toBe('br');
  expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self';/);
  // By its time, a browser would keep the page of a newer version after a return to an older one.
  expect(response.headers.get('last-modified')).toBeNull();
  expect(response.headers.get('etag')).toBeNull();
  const page = await response.text();
  expect(page).not.toMatch(/https?:\/\/|<script>|style=/);
  const [script = ''] = /\/console\/assets\/[^"]+\.js/.exec(page) ?? [];
  const loaded = await ask(script, { headers: { 'accept-encoding': 'br' } });
  expect(loaded.headers.get('cache-control')).toContain('immutable');
  expect(Number(loaded.headers.get('content-length'))).toBeLessThan(150_000);
  expect((await ask('/console/assets/no-such-file.js')).status).toBe(404);
});

test('the cookie of a session serves the console’s own page alone', async () => {
  const own = { 'x-turnpike-console': '1' };
  const signedIn = await ask('/console/session', {
    method: 'POST',
    headers: { ...own, authorization: `Bearer ${cluster.apiKey}` },
  });
  expect(await signedIn.json()).toMatchObject({
    tenant_id: cluster.tenantId,
    scopes: SCOPES.filter((scope) => scope !== 'operator'),
  });
  const set = signedIn.headers.get('set-cookie') ?? '';
  expect(set).toMatch(/; Path=\/console; HttpOnly; SameSite=Strict$/);
  const cookie = set.split(';')[0] ?? '';
  const statuses = await Promise.all(
    [
      { path: '/console/api/v1/turns', headers: { ...own, cookie } },
      { path: '/console/api/v1/turns', headers: { cookie } },
      { path: '/console/api/v1/turns', headers: { ...own, cookie, 'sec-fetch-site': 'same-site' } },
      { path: '/console/api/v1/turns', headers: own },
      { path: '/v1/turns', headers: { ...own, cookie } },
    ].map(async ({ path, headers }) => (await ask(path, { headers })).status),
  );
  expect(statuses).toEqual([200, 401, 401, 401, 401]);
  expect((await ask('/console/session', { headers: own })).status).toBe(204);
});

test('the cookie is for encrypted connections where the browser has one, and holds the key of either header', async () => {
  for (const sent of [{ authorization: `bearer  ${cluster.apiKey}` }, { 'x-api-key': cluster.apiKey }]) {
    const signedIn = await ask('/console/session', {
      method: 'POST',
      headers: { 'x-turnpike-console': '1', origin: 'https://turnpike.example', ...sent },
    });
    expect(signedIn.headers.get('set-cookie')).toMatch(
      new RegExp(`^turnpike_console=${cluster.apiKey}; .*; Secure(;|$)`),
    );
  }
});

test('a session may do all that its key’s scopes include', async () => {
  const { tenantId } = cluster;
  const scopes = ['secrets:write' as const];
  const { key } = await createApiKey(cluster.database.pool, { tenantId, name: 'secrets', scopes });
  const headers = { 'x-turnpike-console': '1', authorization: `Bearer ${key}` };
  const asked = await ask('/console/session', { headers });
  expect(await asked.json()).toMatchObject({ scopes: ['secrets:use', 'secrets:write'] });
  expect(asked.headers.get('set-cookie')).toBeNull();
});

testInBrowser(
  'a link with another key does not take the place of a session unless the person agrees',
  async () => {
    const { tenantId } = cluster;
    const other = await createApiKey(cluster.database.pool, { tenantId, name: 'other', scopes: ['admin'] });
    const page = await openConsole('/inbox');
    const follow = async (key: string): Promise<void> => {
      // To another document first: a change of the fragment alone loads nothing.
      await page.goto('about:blank');
      await page.goto(`${cluster.url}/console/inbox#key=${key}`);
    };
    const whose = page.getByRole('button', { name: 'Sign out' });
    const before = await whose.getAttribute('title');

    await follow(other.key);
    await page.getByText(`${tenantId}, ${other.apiKey.id}`).waitFor();
    expect(page.url()).toBe(`${cluster.url}/console/inbox`);
    await page.getByRole('button', { name: 'Stay' }).click();
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
    expect(await whose.getAttribute('title')).toBe(before);

    for (const known of [cluster.apiKey, '%']) {
      await follow(known);
      await page.getByRole('heading', { name: 'Inbox' }).waitFor();
      expect(await whose.getAttribute('title')).toBe(before);
    }

    await follow(other.key);
    await page.getByRole('button', { name: 'Switch' }).click();
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
    expect(await whose.getAttribute('title')).toBe(`${tenantId}, ${other.apiKey.id}`);
    await page.reload();
    expect(await whose.getAttribute('title')).toBe(`${tenantId}, ${other.apiKey.id}`);
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'a link signs in, its key leaves the address at once, and no script can read it',
  async () => {
    const page = await openConsole('/inbox');
    expect(page.url()).toBe(`${cluster.url}/console/inbox`);
    const readable = await page.evaluate(
      'JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href])',
    );
    expect(readable).not.toContain(cluster.apiKey);
    await page.reload();
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').fill('tp_live_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('API key').fill(cluster.apiKey);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'what a key may not do is not shown',
  async () => {
    const { tenantId } = cluster;
    const made = await createApiKey(cluster.database.pool, {
      tenantId,
      name: 'reader',
      scopes: ['turns:read'],
    });
    const page = await openConsole('', made.key);
    expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).toEqual(
      expect.arrayContaining(['Turns', 'Sessions']),
    );
    expect(await page.getByRole('link', { name: 'Webhooks' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Playground' }).count()).toBe(0);
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'a key that is revoked ends the session, and says so',
  async () => {
    const { tenantId } = cluster;
    const made = await createApiKey(cluster.database.pool, { tenantId, name: 'short', scopes: ['admin'] });
    const page = await openConsole('', made.key);
    await revokeApiKey(cluster.database.pool, made.apiKey.id, tenantId);
    await page.getByText('The API key is revoked or has expired.').waitFor();
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'the same approval from two tabs takes effect once, and the second tab is told',
  async () => {
    const turn = await waitingTurn('approve this');
    const [one, other] = [await openConsole(`/turns/${turn.id}`), await openConsole(`/turns/${turn.id}`)];
    const approve = (page: Page) => page.getByRole('button', { name: 'Approve', exact: true });
    await approve(one).waitFor();
    await approve(other).waitFor();
    // Neither tab hears of the other before it has answered.
    await Promise.all([approve(one).click(), approve(other).click()]);
    const ended = await cluster.untilEnded(turn.id);
    expect(ended.status).toBe('completed');
    for (const page of [one, other]) {
      await page.getByRole('heading', { name: 'completed' }).waitFor();
      await page.getByText('All is done.').first().waitFor();
      await page.context().close();
    }
    const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
    const calls = (body as { items: { tool_calls: { attempts: number }[] }[] }).items.flatMap(
      (step) => step.tool_calls,
    );
    expect(calls).toMatchObject([{ attempts: 1 }]);
  },
  LIMIT_MS,
);

testInBrowser(
  'hostile content is text: bounded, with its invisible characters named',
  async () => {
    const turn = await waitingTurn('hostile');
    const page = await openConsole('/inbox');
    const card = page.getByRole('article', { name: 'show awaits output' });
    await card.waitFor();
    const shown = await card.innerText();
    expect(shown).toContain('<img src=x');
    expect(shown).toContain('<script>window.hit = 2</script>');
    expect(shown).toContain('[U+202E]');
    expect(shown).toContain('[U+200B]');
    expect(shown).not.toMatch(/[\u202e\u200b]/);
    expect(shown).not.toContain('end"');
    expect(shown.length).toBeLessThan(5_000);
    await card.getByRole('button', { name: 'Show more' }).click();
    await card.getByText('end"').waitFor();
    expect(await card.locator('img, script, a').count()).toBe(0);
    expect(await page.evaluate('"hit" in window')).toBe(false);
    await card.getByLabel('Output').fill('Seen.');
    await card.getByRole('button', { name: 'Send output' }).click();
    expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed' });
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'a schedule is paused and resumed, and shows its next ticks',
  async () => {
    const { id } = await dailySchedule();
    const page = await openConsole(`/schedules/${id}`);
    await page.getByText('0 9 * * * (Europe/Lisbon)').waitFor();
    await page.locator('ol li').nth(4).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    const read = async (): Promise<unknown> => (await cluster.request('GET', `/v1/schedules/${id}`)).body;
    expect(await read()).toMatchObject({ status: 'paused', next_tick_at: null });
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    expect(await read()).toMatchObject({ status: 'active' });
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'every screen opens without an error, fits into 360 pixels, and axe-core finds nothing on it, light or dark',
  async () => {
    const turn = await waitingTurn('approve that');
    const schedule = await dailySchedule();
    const { tenantId } = cluster;
    const scopes = ['admin', 'operator'] as const;
    const operator = await createApiKey(cluster.database.pool, {
      tenantId,
      name: 'operator',
      scopes: [...scopes],
    });
    const page = await openConsole('', operator.key);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    const paths = [
      ...SCREENS,
      `/turns/${turn.id}`,
      `/sessions/${turn.session_id}`,
      `/agents/${agent.id}`,
      `/schedules/${schedule.id}`,
    ];
    for (const path of paths) {
      await page.goto(`${cluster.url}/console${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      for (const [colorScheme, width] of [
        ['light', 1_280],
        ['dark', 360],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        const wider = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect([path, width, wider, await findViolations(page)]).toEqual([path, width, 0, []]);
      }
    }
    expect(errors).toEqual([]);
    await page.context().close();
  },
  LIMIT_MS,
);

testInBrowser(
  'on a tenant that has nothing yet, every screen opens without an error and says so',
  async () => {
    const tenantId = await createTenant(cluster.database, 'empty');
    const made = { tenantId, name: 'k', scopes: ['admin' as const, 'operator' as const] };
    const page = await openConsole('', (await createApiKey(cluster.database.pool, made)).key);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    for (const path of SCREENS) {
      await page.goto(`${cluster.url}/console${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      expect([path, await page.getByRole('alert').count(), await findViolations(page)]).toEqual([
        path,
        0,
        [],
      ]);
    }
    expect(errors).toEqual([]);
    await page.goto(`${cluster.url}/console/turns`);
    await page.getByText('No turns yet').waitFor();
    await page.context().close();
  },
  LIMIT_MS,
);
