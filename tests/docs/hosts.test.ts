import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { startTestApi } from '../../apps/api/src/testing/test-api.ts';
import { createTestDatabase } from '../support/test-database.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const IS_OURS = /\.md$/;
const IS_NOT_OURS = /(^|\/)(node_modules|dist|results)\//;

/** Hosts that belong to no one: a pasted example reaches nothing there. */
const REACHES_NOBODY = /^(localhost|127\.0\.0\.1|\[::1\]|([\w-]+\.)+invalid)$/;

/** The hosts that a text names, with a scheme or without. */
function hostsIn(text: string): string[] {
  const ofUrls = [...text.matchAll(/\bhttps?:\/\/(?:[^\s/@'"`]*@)?(\[[\d:a-f]+\]|[\w.-]+)/gi)].map(
    ([, host]) => host,
  );
  const bare = [
    ...text.matchAll(/(?<![\w./@-])((?:[\w-]+\.)+(?:com|org|net|io|dev|app|ai|example|test))(?!\.?[\w(])/gi),
  ];
  return [...ofUrls, ...bare.map(([, host]) => host)].filter((host) => host !== undefined);
}

function codeOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```\w*\n([^]*?)^```/gm)].map(([, code = '']) => code);
  const rest = markdown.replaceAll(/^```\w*\n[^]*?^```/gm, '');
  return [...blocks, ...[...rest.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)];
}

const pages = ['README.md', 'docs', 'apps', 'packages', 'bench', 'deploy'].flatMap((path) =>
  path.endsWith('.md')
    ? [path]
    : readdirSync(join(REPOSITORY, path), { recursive: true, encoding: 'utf8' })
        .map((file) => `${path}/${file}`)
        .filter((file) => IS_OURS.test(file) && !IS_NOT_OURS.test(file)),
);

test('hosts are found with a scheme and without one', () => {
  expect(
    hostsIn('curl https://user@a.example.com:8/x http://[::1]:3000 hooks.slack.com http://127.0.0.1'),
  ).toEqual(['a.example.com', '[::1]', '127.0.0.1', 'hooks.slack.com']);
  expect(hostsIn('npx turnpike, apps/api/src/main.test.ts, event.data.turn, https://…')).toEqual([]);
});

test('no example in the pages sends anything to a real host when it is pasted', () => {
  expect(pages).toContain('docs/how-to/webhooks.md');
  const real = pages.flatMap((page) =>
    codeOf(readFileSync(join(REPOSITORY, page), 'utf8'))
      .flatMap(hostsIn)
      .filter((host) => !REACHES_NOBODY.test(host))
      .map((host) => `${page}: ${host}`),
  );
  expect(real).toEqual([]);
});

test('nor does an example of the OpenAPI document', async () => {
  const api = await startTestApi(await createTestDatabase());
  try {
    const response = await fetch(`${api.url}/openapi.json`);
    const examples = examplesIn(await response.json());
    expect(examples.length).toBeGreaterThan(10);
    expect(examples.flatMap(hostsIn).filter((host) => !REACHES_NOBODY.test(host))).toEqual([]);
  } finally {
    await api.stop();
  }
});

/** All that stands below an `example`, `examples`, `default` or `servers`, as JSON. */
function examplesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    /^(examples?|default|servers)$/.test(name) ? [JSON.stringify(inner)] : examplesIn(inner),
  );
}
