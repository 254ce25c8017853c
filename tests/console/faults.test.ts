import { afterAll, expect } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { openBrowser, testInBrowser } from '../support/browser.ts';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { signIn } from './support.ts';

const LIMIT_MS = 240_000;

let cluster: Cluster | undefined;
let browser: Browser | undefined;
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

testInBrowser(
  'a turn is watched while its worker is killed, and while the API is away and comes back',
  async () => {
    const port = String(await freePort());
    cluster = await Cluster.start({
      workers: 1,
      environment: { LEASE_MS: '3000', PORT: port },
    });
    await cluster.control.setScript({
      rules: [{ match: { text: 'slow' }, times: 1, fault: { type: 'hang', after_events: 4 } }],
    });
    const agent = await cluster.createAgent();
    const { id } = await cluster.submit({ agentId: agent.id }, 'slow and long');
    await cluster.until(id, ['in_progress']);
    browser = await openBrowser();
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    await signIn(page, cluster.url, cluster.apiKey, `/turns/${id}`);
    await page.getByRole('heading', { name: 'in progress' }).waitFor();

    await cluster.api?.end('SIGKILL');
    await page.getByText('The API does not respond.').waitFor();
    await cluster.startApi();
    await page.getByText('The API does not respond.').waitFor({ state: 'detached' });

    await cluster.workers[0]?.end('SIGKILL');
    await cluster.startWorker();
    await page.getByText('Claimed again by a worker (claim 2)').waitFor();
    await page.getByRole('heading', { name: 'completed' }).waitFor();
    expect((await cluster.untilEnded(id)).attempts).toBe(2);
  },
  LIMIT_MS,
);
