import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { KeySettingsError } from './errors.ts';
import { masterKeysSchema, parseMasterKeys } from './master-keys.ts';

const [one, two] = [randomBytes(32), randomBytes(32)];
const b64 = (bytes: Buffer): string => bytes.toString('base64');

test('Keys are read in order, in either alphabet, with or without padding, and with white space around them.', () => {
  const spellings = [
    `2026-01:${b64(one)},2025-07:${b64(two)}`,
    ` 2026-01 : ${b64(one)} ,\n 2025-07:${b64(two)} `,
    `2026-01:${one.toString('base64url')},2025-07:${two.toString('base64url')}`,
    `2026-01:${b64(one).replace('=', '')},2025-07:${b64(two)}`,
  ];
  for (const text of spellings) {
    const keys = parseMasterKeys(text);
    expect(keys.map(({ id }) => id)).toEqual(['2026-01', '2025-07']);
    expect(keys.map(({ key }) => key.export().equals(one))).toEqual([true, false]);
  }
});

test('Every mistake is reported with its position in the list.', () => {
  const text = [
    b64(one),
    `bad id:${b64(one)}`,
    'short:AAEC',
    'text:not base64!',
    '',
    `a:${b64(two)}`,
    `a:${b64(randomBytes(32))}`,
    `b:${b64(two)}`,
    `zeros:${b64(Buffer.alloc(32))}`,
    `hex:${two.toString('hex')}`,
    `spare:${b64(one).slice(0, 42)}B=`,
    'none:',
  ].join(',');
  expect(mistakesOf(text)).toEqual([
    'key 1 has no colon after its id',
    'key 2 has an id that is not 1 to 32 letters, digits or _ . -',
    'key 3 has 3 bytes instead of 32',
    'key 4 is not base64',
    'key 5 is empty',
    'key 7 has the id of an earlier key',
    'key 8 has the bytes of an earlier key',
    'key 9 repeats a single byte',
    'key 10 has 48 bytes instead of 32',
    'key 11 is not base64',
    'key 12 is not base64',
  ]);
  expect(mistakesOf(' ')).toEqual(['there is no master key']);
});

test('No error contains a key, wherever in the list it stands.', () => {
  const texts = [
    b64(one),
    `${b64(one)}:id`,
    `id:${b64(one)}x`,
    `id:${b64(one)}:${b64(two)}`,
    `id:${b64(one)};id2:${b64(two)}`,
    `${b64(one)}:${b64(two)},${b64(one)}:${b64(two)}`,
  ];
  for (const text of texts) {
    const reports: unknown[] = [thrownBy(() => parseMasterKeys(text))];
    for (const reportInput of [false, true]) {
      reports.push(masterKeysSchema.safeParse(text, { reportInput }).error);
      reports.push(z.object({ keys: masterKeysSchema }).safeParse({ keys: text }, { reportInput }).error);
    }
    for (const report of reports) {
      expect(report).toBeInstanceOf(Error);
      for (const bytes of [one, two]) expectNoPartOf(bytes, report);
    }
  }
});

function mistakesOf(text: string): string[] {
  const error = thrownBy(() => parseMasterKeys(text));
  expect(error).toBeInstanceOf(KeySettingsError);
  return error instanceof KeySettingsError ? error.issues.map(({ message }) => message) : [];
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

function expectNoPartOf(bytes: Buffer, report: unknown): void {
  const printed = `${inspect(report, { depth: 20, showHidden: true })} ${JSON.stringify(report)} ${String(report)}`;
  expect(printed).not.toContain(b64(bytes).slice(2, 12));
}
