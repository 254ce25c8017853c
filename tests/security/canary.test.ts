import { afterEach, expect, test } from '@jest/globals';
import { canaryOf, scan, uniqueText, type Finding } from './support/canary.ts';
import { LeakTest } from './support/leak-test.ts';

const LIMIT_MS = 300_000;
const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;

let trial: LeakTest | null = null;
afterEach(async () => {
  await trial?.stop();
  trial = null;
});

/** What a scan of all sources finds, and the controls that it does not find. */
async function scanAll({
  canaries,
  sources,
}: {
  canaries: LeakTest['canaries'];
  sources: ReturnType<LeakTest['sources']>;
}) {
  const found: Finding[] = [];
  const blind: string[] = [];
  for (const { name, controls, read } of sources) {
    const text = await read();
    found.push(...scan(name, text, canaries));
    const unseen = controls.filter(
      (control) => scan(name, text, [canaryOf('control', control)]).length === 0,
    );
    blind.push(...unseen.map((control) => `${name}: ${control}`));
  }
  return { found, blind };
}

withRedis(
  'no secret is in a log, in Redis, in Postgres, in an answer, in a metric or in what a crash says, in any form',
  async () => {
    trial = await LeakTest.start();
    await trial.play();
    expect([...trial.statuses]).toEqual(expect.arrayContaining(['GET 401', 'PUT 400', 'GET 404']));
    expect(trial.canaries.length).toBeGreaterThan(15);
    const { found, blind } = await scanAll({ canaries: trial.canaries, sources: trial.sources() });
    expect(blind).toEqual([]);
    expect(found).toEqual([]);
  },
  LIMIT_MS,
);

withRedis(
  'a build that hides nothing is caught by the same scan',
  async () => {
    trial = await LeakTest.start({ isBroken: true });
    await trial.play();
    const { found } = await scanAll({ canaries: trial.canaries, sources: trial.sources() });
    const where = new Set(found.map(({ source }) => source));
    expect([...where].toSorted()).toEqual(
      expect.arrayContaining(['HTTP answers', 'Postgres', 'log of the API', 'log of the worker']),
    );
    const what = new Set(found.map(({ canary }) => canary));
    for (const secret of ['operator model key', 'tool secret', 'database password', 'Redis password']) {
      expect(what).toContain(secret);
    }
  },
  LIMIT_MS,
);

test('the scan finds a value in every form that it has', () => {
  const secret = uniqueText('a secret ', ' "+/é');
  const canary = canaryOf('it', secret);
  const bytes = Buffer.from(secret);
  const basic = ['', 'x', 'xy'].map((before) => Buffer.from(`${before}${secret}:more`).toString('base64'));
  for (const text of [
    secret,
    ...basic,
    ...basic.map((form) => Buffer.from(form, 'base64').toString('base64url')),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(secret),
    new URLSearchParams({ it: secret }).toString(),
    JSON.stringify({ it: secret }),
    JSON.stringify(JSON.stringify({ it: secret })),
  ]) {
    expect([text, scan('a text', `before ${text} after`, [canary]).length > 0]).toEqual([text, true]);
  }
  expect(scan('a text', 'nothing', [canary])).toEqual([]);
});
