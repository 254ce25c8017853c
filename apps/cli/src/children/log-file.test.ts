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

test('the reason why a program ended is its last line', () => {
  writeFileSync(log, 'first\nlast\n\n');
  expect(lastWords(log)).toBe('last');
});

test('for an uncaught error it is the message on one line, without the stack', () => {
  const trace = '    at readConfig (config.js:53:11)\n    at main.js:91:7\n\nNode.js v20.20.2\n';
  writeFileSync(
    log,
    `started\nconfig.js:53\n  throw new Error()\n  ^\n\nError: Not right:\n  PORT: no number\n${trace}`,
  );
  expect(lastWords(log)).toBe('Error: Not right: PORT: no number');
});

test('for a database it is the fatal error, not the line that it is shut down', () => {
  writeFileSync(
    log,
    'LOG:  starting\nFATAL:  data directory has wrong ownership\nLOG:  database system is shut down\n',
  );
  expect(lastWords(log)).toBe('FATAL: data directory has wrong ownership');
});

test('a program that wrote nothing has no reason, and a long one is truncated', () => {
  writeFileSync(log, '');
  expect(lastWords(log)).toBe('');
  writeFileSync(log, 'x'.repeat(10_000));
  expect(lastWords(log)).toHaveLength(300);
});

test('a log that is too long is rotated, and the previous one is kept', () => {
  writeFileSync(log, 'short');
  boundLog(log);
  expect(readFileSync(log, 'utf8')).toBe('short');
  writeFileSync(log, Buffer.alloc(20 * 1024 * 1024 + 1));
  boundLog(log);
  expect(statSync(log).size).toBe(0);
  expect(statSync(`${log}.1`).size).toBe(20 * 1024 * 1024 + 1);
});
