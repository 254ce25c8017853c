// Writes what the documentation takes from the code: the reference of settings, metrics, models, problem codes and events, and
// the state chart and the packages of ARCHITECTURE.md. With `--check` it writes nothing, and fails where a page does not match the code.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { claudeAgentsPage } from './claude-agents-dialect.mjs';
import { dialectA2a } from './dialect-a2a.mjs';
import { dialectAiSdk } from './dialect-ai-sdk.mjs';
import { dialectOpenai } from './dialect-openai.mjs';
import { events } from './events.mjs';
import { listPackages } from './packages.mjs';
import { metrics } from './metrics.mjs';
import { models } from './models.mjs';
import { problems } from './problems.mjs';
import { settings } from './settings.mjs';
import { drawStateChart } from './state-chart.mjs';

const ROOT = new URL('../../', import.meta.url);

const read = (page) => (existsSync(new URL(page, ROOT)) ? readFileSync(new URL(page, ROOT), 'utf8') : '');

/** The page with this text between the comments `<!-- name -->` and `<!-- end of name -->`. */
function fill(page, name, text) {
  const [before, rest = ''] = page.split(`<!-- ${name} -->`);
  const [, after] = rest.split(`<!-- end of ${name} -->`);
  if (after === undefined) throw new Error(`The page has no place for the ${name}.`);
  return `${before}<!-- ${name} -->\n\n${text}\n\n<!-- end of ${name} -->${after}`;
}

const architecture = fill(read('ARCHITECTURE.md'), 'state chart', drawStateChart());
const pages = {
  'docs/reference/settings.md': settings,
  'docs/reference/metrics.md': metrics,
  'docs/reference/models.md': models,
  'docs/reference/problems.md': problems,
  'docs/reference/events.md': events,
  'docs/reference/dialects/a2a.md': dialectA2a,
  'docs/reference/dialects/claude-agents.md': claudeAgentsPage,
  'docs/reference/dialects/ai-sdk.md': dialectAiSdk,
  'docs/reference/dialects/openai.md': dialectOpenai,
  'ARCHITECTURE.md': fill(architecture, 'packages', listPackages()),
};

const stale = Object.entries(pages).filter(([page, text]) => read(page) !== text);
if (process.argv.includes('--check')) {
  for (const [page] of stale)
    process.stderr.write(`${page} does not match the code: run \`npm run docs:write\`.\n`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [page, text] of stale) writeFileSync(new URL(page, ROOT), text);
}
