import { expect, test } from '@jest/globals';
import { readRepositoryFile, repositoryFiles } from './support/repository.ts';

/** Where words are read; migrations are never changed, and the changelog names what was renamed. */
const IS_READ = /^(packages|apps|tests|bench|docs|deploy)\/|^(README|CONTRIBUTING|SECURITY)\.md$/;
const IS_TEXT = /\.(ts|mts|cts|mjs|cjs|js|md|sql|yml|yaml|json|example)$/;
const IS_LIST_OF_NAMES = /(^docs\/reference\/licences\.md|^tests\/docs\/words\.test\.ts)$/;

interface RetiredWord {
  word: string;
  pattern: RegExp;
}

/** The words of the table in ARCHITECTURE.md. In an identifier a word ends where the next part begins. */
function readRetiredWords(): RetiredWord[] {
  const [, table = ''] = readRepositoryFile('ARCHITECTURE.md').split('### Retired words');
  return [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => ({ word, pattern: patternOf(word) })),
  );
}

function patternOf(word: string): RegExp {
  const isPrefix = word.endsWith('*');
  const stem = (isPrefix ? word.slice(0, -1) : word).replaceAll(/[.()]/g, String.raw`\$&`);
  return new RegExp(String.raw`(?<![A-Za-z])${stem}${isPrefix ? '' : '(?![A-Za-z])'}`, 'gi');
}

const retired = readRetiredWords();

test('the table of retired words is read', () => {
  expect(retired.map(({ word }) => word)).toEqual(
    expect.arrayContaining(['mayhem', 'CutCall', 'raiseHint*']),
  );
  expect('raiseHints(), the raiseHint').toMatch(patternOf('raiseHint*'));
  expect('capForm').not.toMatch(patternOf('capFor'));
});

test('no retired word is in code, comments, tests or docs', () => {
  const files = repositoryFiles().filter(
    (file) => IS_READ.test(file) && IS_TEXT.test(file) && !IS_LIST_OF_NAMES.test(file),
  );
  expect(files.length).toBeGreaterThan(500);
  const found = files.flatMap((file) =>
    readRepositoryFile(file)
      .split('\n')
      .flatMap((line, index) =>
        retired
          .filter(({ pattern }) => line.search(pattern) >= 0)
          .map(({ word }) => `${file}:${index + 1}: ${word}`),
      ),
  );
  expect(found).toEqual([]);
});
