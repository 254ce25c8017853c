import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { findProgram } from '../cli/command-line.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RULES = ['deploy/prometheus/alerts.yml', 'deploy/prometheus/slos.yml'];

/** Prometheus's own checker. Skipped where there is none: `apt-get install prometheus` brings it. */
const withPromtool = findProgram('promtool') === undefined ? test.skip : test;

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string().optional(),
          annotations: z.object({ summary: z.string(), runbook: z.string() }).optional(),
        }),
      ),
    }),
  ),
});

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');

test.each(RULES)('each alert of %s names the section that says what to do', async (file) => {
  const { groups } = rulesSchema.parse(parse(await readFile(ROOT + file, 'utf8')));
  const alerts = groups.flatMap(({ rules }) => rules).filter(({ alert }) => alert !== undefined);
  expect(alerts.length).toBeGreaterThan(2);
  for (const { alert, annotations } of alerts) {
    const [page = '', section] = annotations?.runbook.split('#') ?? [];
    const text = await readFile(ROOT + page, 'utf8');
    const sections = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
    expect([alert, sections.includes(section ?? '')]).toEqual([alert, true]);
  }
});

withPromtool('Prometheus accepts the rules and the configuration', async () => {
  await run('promtool', ['check', 'rules', ...RULES], { cwd: ROOT });
  await run('promtool', ['check', 'config', 'deploy/prometheus/prometheus.yml'], { cwd: ROOT });
});

withPromtool('alerts fire where an objective is missed, as fast as it is, and nowhere else', async () => {
  await run('promtool', ['test', 'rules', 'tests/telemetry/support/slos.test.yml'], { cwd: ROOT });
});
