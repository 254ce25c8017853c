import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Progress } from './progress.ts';
import { isReached, tableOf, type Finding } from './report.ts';
import type { Scenario } from './scenario.ts';
import { accept } from './scenarios/accept.ts';
import { cold } from './scenarios/cold.ts';
import { growth } from './scenarios/growth.ts';
import { idle } from './scenarios/idle.ts';
import { outage } from './scenarios/outage.ts';
import { profile } from './scenarios/profile.ts';
import { readers } from './scenarios/readers.ts';
import { scale } from './scenarios/scale.ts';
import { start } from './scenarios/start.ts';
import { streaming } from './scenarios/streaming.ts';
import { turns } from './scenarios/turns.ts';
import { versus } from './scenarios/versus.ts';
import { waiting } from './scenarios/waiting.ts';
import { webhooks } from './scenarios/webhooks.ts';
import { startStage } from './stage.ts';

const SCENARIOS: Scenario[] = [
  start,
  accept,
  turns,
  versus,
  cold,
  profile,
  waiting,
  streaming,
  readers,
  scale,
  growth,
  idle,
  outage,
  webhooks,
];
const RESULTS = new URL('../results/', import.meta.url);

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const long = words.includes('--long');
const only = words.flatMap((word) => /^--only=(.+)$/.exec(word)?.[1]?.split(',') ?? []);
const names = words.filter((word) => !word.startsWith('--'));
const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown !== undefined) {
  process.stderr.write(
    `There is no scenario ${unknown}; there are: ${SCENARIOS.map(({ name }) => name).join(', ')}.\n`,
  );
  process.exit(1);
}

const progress = new Progress();
const findings: Finding[] = [];
let failed = false;
const stage = await startStage();
for (const scenario of SCENARIOS) {
  if (names.length > 0 && !names.includes(scenario.name)) continue;
  try {
    const found = await scenario.run({ stage, progress, quick, long, only });
    const ofScenario = found.map((finding) => ({ scenario: scenario.name, ...finding }));
    findings.push(...ofScenario);
    progress.clear();
    process.stdout.write(`${tableOf(ofScenario)}\n\n`);
    await report();
  } catch (error) {
    failed = true;
    process.stderr.write(
      `\n${scenario.name} failed: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
  }
}
progress.clear();
await stage.stop();
process.exit(failed ? 1 : 0);

/** Writes the results after each scenario, so that an interrupted run keeps them. */
async function report(): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const results = {
    at: new Date().toISOString(),
    quick,
    node: process.version,
    processors: cpus().length,
    findings: findings.map((finding) => ({ ...finding, reached: isReached(finding) })),
  };
  await writeFile(new URL('latest.json', RESULTS), `${JSON.stringify(results, null, 2)}\n`);
}
