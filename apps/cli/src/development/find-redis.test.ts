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

/** A folder with a `redis-server` that says just this. */
function folderWith(name: string, version: string, mode = 0o755): string {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, 'redis-server'), `#!/bin/sh\necho '${version}'\n`);
  chmodSync(join(place, 'redis-server'), mode);
  return place;
}

test('the first redis-server on the search path is taken when its version will do', async () => {
  const none = join(folder, 'none');
  const plain = folderWith('plain', 'Redis server v=7.0.15 sha=00000000:0', 0o644);
  const good = folderWith('good', 'Redis server v=6.2.0 sha=00000000:0');
  const later = folderWith('later', 'Redis server v=7.0.15 sha=00000000:0');
  const found = await findRedis(['', none, plain, good, later].join(':'));
  // Root may run nothing that nobody may run, either.
  expect(found).toEqual({ executable: join(good, 'redis-server') });
});

test('one that is too old, or that does not tell, is left alone, with the reason', async () => {
  const old = folderWith('old', 'Redis server v=6.0.16 sha=00000000:0');
  expect(await findRedis(old)).toEqual({ reason: 'redis-server on PATH is 6.0, 6.2 is the least' });
  const odd = folderWith('odd', 'hello');
  expect(await findRedis(odd)).toEqual({ reason: 'the redis-server on PATH does not tell its version' });
  expect(await findRedis('')).toEqual({ reason: 'no redis-server on PATH' });
});
