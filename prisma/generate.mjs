// Makes the Prisma client from the schema. `prisma generate` looks for a schema engine that
// it does not use, and downloads it; naming any executable keeps it from the network.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';

const schema = 'prisma/schema.prisma';
const made = 'packages/store/src/generated/client.ts';

if (!existsSync(made) || statSync(made).mtimeMs < statSync(schema).mtimeMs) {
  const prisma = createRequire(import.meta.url).resolve('prisma/build/index.js');
  const run = spawnSync(process.execPath, [prisma, 'generate', '--schema', schema, '--no-hints'], {
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
    encoding: 'utf8',
  });
  if (run.status !== 0) {
    process.stderr.write(run.stdout + run.stderr);
    process.exit(1);
  }
}
