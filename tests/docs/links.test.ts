import { existsSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { readRepositoryFile, repositoryFiles } from './support/repository.ts';

const files = repositoryFiles();
const pages = files.filter((file) => file.endsWith('.md'));
const exists = (path: string): boolean =>
  existsSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)));

const withoutCode = (markdown: string): string =>
  markdown.replaceAll(/^```[^]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const anchorsIn = (page: string): string[] =>
  [...readRepositoryFile(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** The titles of a file's tests; what a template fills in matches anything. */
const titlesIn = (file: string): RegExp[] =>
  [...readRepositoryFile(file).matchAll(/\b(?:test|withRedis)(?:\.\w+)?\(\s*(['"`])(.*?)\1/g)].map(
    ([, , title = '']) => {
      const parts = title.replaceAll("\\'", "'").split(/\$\{[^}]*\}/);
      return new RegExp(
        `^${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('.+')}$`,
      );
    },
  );

test('every relative link in a page leads to a file, and its anchor to a heading', () => {
  expect(pages).toContain('docs/README.md');
  const broken = pages.flatMap((page) =>
    [...withoutCode(readRepositoryFile(page)).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
      .filter(([, path = '', anchor]) => {
        const target = path === '' ? page : posix.join(dirname(page), path);
        if (!exists(target)) return true;
        return anchor !== undefined && !anchorsIn(target).includes(anchor);
      })
      .map(([link]) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test('every page of docs/ that a file names exists', () => {
  const missing = files
    .filter((file) => /\.(md|ts|mjs|cjs|sql|yml|yaml|prisma)$|\.env\.example$/.test(file))
    .flatMap((file) =>
      [...readRepositoryFile(file).matchAll(/(?<![\w./-])docs\/[\w/-]+\.md/g)]
        .map(([name]) => name)
        .filter((name) => !exists(name))
        .map((name) => `${file}: ${name}`),
    );
  expect(missing).toEqual([]);
});

test('every file of the repository that a page names in code exists', () => {
  const missing = pages
    .filter((page) => page !== 'CHANGELOG.md')
    .flatMap((page) =>
      [
        ...readRepositoryFile(page).matchAll(
          /`((?:apps|packages|tests|bench(?!\/results)|deploy|prisma)\/[\w./-]+\.\w+)`/g,
        ),
      ]
        .map(([, name = '']) => name)
        .filter((name) => !exists(name))
        .map((name) => `${page}: ${name}`),
    );
  expect(missing).toEqual([]);
});

test('every test that the page of guarantees quotes exists in the file that it names', () => {
  const page = readRepositoryFile('docs/explanation/guarantees.md');
  const missing = [...page.matchAll(/`([\w./-]+\.test\.ts)`: ((?:"[^"]+"(?:, | and )?)+)/g)].flatMap(
    ([, file = '', titles = '']) =>
      [...titles.matchAll(/"([^"]+)"/g)]
        .map(([, title = '']) => title)
        .filter((title) => {
          const [named = ''] = files.filter(
            (candidate) => candidate.endsWith(`/${file}`) || candidate === file,
          );
          return named === '' || !titlesIn(named).some((pattern) => pattern.test(title));
        })
        .map((title) => `${file}: ${title}`),
  );
  expect(page).toMatch(/`tests\/turns\/recovery\.test\.ts`: "/);
  expect(missing).toEqual([]);
});

test('every package and app has a README', () => {
  const manifests = files.filter((file) => /^(packages|apps)\/(dialects\/)?[^/]+\/package\.json$/.test(file));
  expect(manifests.length).toBeGreaterThan(10);
  const without = manifests.filter((file) => !exists(file.replace('package.json', 'README.md')));
  expect(without).toEqual([]);
});

test('every log line that a page quotes is one that a program writes', () => {
  const sources = files
    .filter(
      (file) => /^(packages|apps)\/(dialects\/)?[^/]+\/src\/.*\.ts$/.test(file) && !file.endsWith('.test.ts'),
    )
    .map(readRepositoryFile)
    .join('\n');
  const missing = pages
    .filter((page) => page !== 'CHANGELOG.md')
    .flatMap((page) =>
      [
        ...(readRepositoryFile(page).split('### Retired words')[0] ?? '').matchAll(
          /`([A-Z][a-z]+(?: [a-z]+)*\.)`/g,
        ),
      ]
        .map(([, line = '']) => line)
        .filter((line) => !sources.includes(line))
        .map((line) => `${page}: ${line}`),
    );
  expect(missing).toEqual([]);
});
