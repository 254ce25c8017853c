#!/usr/bin/env node
// npm links this file during the installation, before anything is built, so it is not a built file. A checkout is built
// at its first use.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../../../dist/cli.js', import.meta.url);
const repository = fileURLToPath(new URL('../../../', import.meta.url));

if (!existsSync(program)) {
  process.stderr.write('turnpike: building it, this once.\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // The build's output goes to standard error.
  const { status } = spawnSync(npm, ['run', '--silent', 'build'], {
    cwd: repository,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) {
    process.stderr.write(
      `turnpike: it could not be built; run "npm install && npm run build" in ${repository}.\n`,
    );
    process.exit(1);
  }
}
await import(program.href);
