// Checks that migrations do not stop the service: those that are newer than the rule.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = 'prisma/migrations';
/** Older ones are deployed as they are. */
const NEWEST_UNCHECKED = '20261201021400_schedules';
/** As `packages/store/src/schema/schema-engine.ts` has it. */
const CONCURRENT = /^-- Each statement by itself\.\n/;

const files = readdirSync(join(ROOT, FOLDER), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name > NEWEST_UNCHECKED)
  .map(({ name }) => join(FOLDER, name, 'migration.sql'));
const isConcurrent = (file) => CONCURRENT.test(readFileSync(join(ROOT, file), 'utf8'));

/** Whether squawk finds nothing in them. */
function check(checked, ...options) {
  if (checked.length === 0) return true;
  const squawk = join(ROOT, 'node_modules/.bin/squawk');
  const { status, error } = spawnSync(squawk, [...options, ...checked], { cwd: ROOT, stdio: 'inherit' });
  if (error !== undefined) throw error;
  return status === 0;
}

const concurrent = files.filter(isConcurrent);
const others = files.filter((file) => !isConcurrent(file));
const results = [check(others, '--assume-in-transaction'), check(concurrent)];
process.exitCode = results.every(Boolean) ? 0 : 1;
