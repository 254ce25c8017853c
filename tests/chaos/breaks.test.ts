import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from '@jest/globals';

const MAKE_ALL = `
import { BREAKS } from './breaks.mjs';
import { rewriteFiles } from './rewrite-files.mjs';
for (const rewrites of Object.values(BREAKS)) rewriteFiles(rewrites);
`;

test('every build that breaks a promise can still be made of the programs, for the long form to catch', () => {
  execFileSync(process.execPath, ['--input-type=module', '--eval', MAKE_ALL], {
    cwd: fileURLToPath(new URL('support/', import.meta.url)),
    stdio: 'pipe',
  });
});
