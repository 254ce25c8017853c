import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findRedis } from './find-redis.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnpike-test-redis-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with a `redis-server` of this version. */
function folderWith(name: string, version: string, mode = 0o755): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'redis-server'), `#!/bin/sh\necho '${version}'\n`);
  chmodSync(join(path, 'redis-server'), mode);
  return path;
}

test('the first redis-server on the search path is used when its version is supported', async () => {
  const none = join(folder, 'none');
  const plain = folderWith('plain', 'Redis server v=7.0.15 sha=00000000:0', 0o644);
  const good = folderWith('good', 'Redis server v=6.2.0 sha=00000000:0');
  const later = folderWith('later', 'Redis server v=7.0.15 sha=00000000:0');
  const found = await findRedis(['', none, plain, good, later].join(':'));
  // Without any execute permission, root cannot run it either.
  expect(found).toEqual({ executable: join(good, 'redis-server') });
});

test('a redis-server that is too old or of an unknown version is not used, with the reason', async () => {
  const old = folderWith('old', 'Redis server v=6.0.16 sha=00000000:0');
  expect(await findRedis(old)).toEqual({ reason: 'redis-server on PATH is 6.0, 6.2 is the least' });
  const odd = folderWith('odd', 'hello');
  expect(await findRedis(odd)).toEqual({ reason: 'the redis-server on PATH does not tell its version' });
  expect(await findRedis('')).toEqual({ reason: 'no redis-server on PATH' });
});
