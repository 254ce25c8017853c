import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { createProject } from './create-project.ts';

let folder: string;
let project: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'turnpike test create '));
  mkdirSync(join(folder, 'my-agent/.git'), { recursive: true });
  ({ path: project } = await createProject('my-agent', folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (file: string): string => readFileSync(join(project, file), 'utf8');

test('every file of a project is filled in, in a folder with spaces and a new repository', () => {
  const files = readdirSync(project, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.length).toBeGreaterThan(12);
  for (const { parentPath, name } of files) {
    const text = readFileSync(join(parentPath, name), 'utf8');
    // GitHub's own expressions have a dollar before them.
    expect([name, text.match(/(?<!\$)\{ ?\{.*/)]).toEqual([name, null]);
  }
  expect(JSON.parse(read('package.json'))).toMatchObject({ name: 'my-agent', type: 'module' });
});

const serviceSchema = z.looseObject({
  image: z.string().regex(/^[a-z0-9._/-]+(:[\w.-]+)?$/),
  command: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
});

test('its compose file names images, commands and services that are there', () => {
  const { services } = z
    .object({ services: z.record(z.string(), serviceSchema) })
    .parse(parse(read('docker-compose.yml'), { merge: true }));
  const own = Object.values(services).filter((service) => 'build' in service);
  expect(own.map(({ image }) => image)).toEqual(['my-agent', 'my-agent', 'my-agent']);
  for (const { depends_on: needs = {} } of Object.values(services)) {
    for (const name of Object.keys(needs)) expect(services).toHaveProperty(name);
  }
});

test('its CI and its image run scripts that it has', () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json')));
  const { jobs } = z
    .object({
      jobs: z.object({ test: z.object({ steps: z.array(z.looseObject({ run: z.string().optional() })) }) }),
    })
    .parse(parse(read('.github/workflows/ci.yml')));
  const runs = [...jobs.test.steps.flatMap(({ run }) => run ?? []), ...read('Dockerfile').split(/\n|&&/)];
  const named = runs.flatMap((run) => /npm (?:run )?(check|test|build)\b/.exec(run)?.[1] ?? []);
  expect(named.toSorted()).toEqual(['build', 'check', 'test']);
  for (const name of named) expect(scripts).toHaveProperty(name);
});
