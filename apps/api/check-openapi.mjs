// Holds the OpenAPI document against the rules of two linters: any finding, warnings included, fails.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import spectralCore from '@stoplight/spectral-core';
import spectralRulesets from '@stoplight/spectral-rulesets';
import { routes } from './dist/create-api.js';
import { DIALECTS } from './dist/dialects/dialects.js';
import { routesOf } from './dist/dialects/to-route.js';
import { describeRoutes } from './dist/openapi/describe-routes.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const document = describeRoutes([...routes, ...routesOf(DIALECTS, 0)], DIALECTS);

const spectral = new spectralCore.Spectral();
spectral.setRuleset({ extends: [[spectralRulesets.oas, 'recommended']] });
const findings = await spectral.run(document);
for (const { code, path, message } of findings)
  process.stderr.write(`spectral ${code}: ${path.join('.')}: ${message}\n`);

const folder = await mkdtemp(join(tmpdir(), 'turnpike-openapi-'));
try {
  const file = join(folder, 'openapi.json');
  await writeFile(file, JSON.stringify(document, null, 2));
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/@redocly/cli/bin/cli.js'),
      'lint',
      file,
      '--config',
      join(root, 'redocly.yaml'),
      '--format',
      'stylish',
      '--max-problems',
      '1000',
    ],
    {
      // Without these it reports its use, and asks whether there is a newer one.
      env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
      stdio: 'inherit',
    },
  );
  if (status !== 0 || findings.length > 0) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
