import { expect, test } from '@jest/globals';
import { asFilename, createFileSchema } from './files.ts';

test.each([
  ['report.pdf', 'report.pdf'],
  ['../etc/passwd', '.._etc_passwd'],
  ['invoice\u202efdp.exe', 'invoice_fdp.exe'],
  ['line\u2028break\u0007', 'line_break_'],
  ['', null],
  ['..', null],
  [' \u3000 ', null],
])('a name from elsewhere, %j, becomes one that a file may have: %j', (given, expected) => {
  expect(asFilename(given)).toBe(expected);
});

test('whatever it is, the contract takes it', () => {
  const about = { media_type: 'application/pdf', bytes: 1 };
  for (const name of ['a'.repeat(300), `${'a'.repeat(254)}\u{1F600}`, '\u0000\u2066x']) {
    expect(createFileSchema.safeParse({ ...about, filename: asFilename(name) }).success).toBe(true);
  }
});
