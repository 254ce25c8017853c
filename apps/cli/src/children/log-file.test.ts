import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { boundLog, lastWords } from './log-file.ts';

let folder: string;
let log: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnpike-test-log-'));
  log = join(folder, 'program.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the last words of a program are its last line', () => {
  writeFileSync(log, 'first\nlast\n\n');
  expect(lastWords(log)).toBe('last');
});

test('of an error that nobody caught, they are what it says, on one line, without where it was thrown', () => {
  const trace = '    at readConfig (config.js:53:11)\n    at main.js:91:7\n\nNode.js v20.20.2\n';
  writeFileSync(
    log,
    `started\nconfig.js:53\n  throw new Error()\n  ^\n\nError: Not right:\n  PORT: no number\n${trace}`,
  );
  expect(lastWords(log)).toBe('Error: Not right: PORT: no number');
});

test('of a database they are what was fatal, not that it is down', () => {
  writeFileSync(
    log,
    'LOG:  starting\nFATAL:  data directory has wrong ownership\nLOG:  database system is shut down\n',
  );
  expect(lastWords(log)).toBe('FATAL: data directory has wrong ownership');
});

test('a program that wrote nothing has no last words, and long ones are cut', () => {
  writeFileSync(log, '');
  expect(lastWords(log)).toBe('');
  writeFileSync(log, 'x'.repeat(10_000));
  expect(lastWords(log)).toHaveLength(300);
});

test('a log that has grown too long starts anew, and the one before it is kept', () => {
  writeFileSync(log, 'short');
  boundLog(log);
  expect(readFileSync(log, 'utf8')).toBe('short');
  writeFileSync(log, Buffer.alloc(20 * 1024 * 1024 + 1));
  boundLog(log);
  expect(statSync(log).size).toBe(0);
  expect(statSync(`${log}.1`).size).toBe(20 * 1024 * 1024 + 1);
});
