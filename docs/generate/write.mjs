// Writes what the documentation takes from the code: the reference of settings, metrics, problem codes and events, and
// the state chart of ARCHITECTURE.md. With `--check` it writes nothing, and fails where a page does not match the code.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { events } from './events.mjs';
import { metrics } from './metrics.mjs';
import { problems } from './problems.mjs';
import { settings } from './settings.mjs';
import { drawStateChart } from './state-chart.mjs';

const ROOT = new URL('../../', import.meta.url);
const CHART = /(<!-- state chart -->\n\n)[^]*?(\n\n<!-- end of state chart -->)/;

const read = (page) => (existsSync(new URL(page, ROOT)) ? readFileSync(new URL(page, ROOT), 'utf8') : '');
const architecture = read('ARCHITECTURE.md');
if (!CHART.test(architecture)) throw new Error('ARCHITECTURE.md has no place for the state chart.');

const pages = {
  'docs/reference/settings.md': settings,
  'docs/reference/metrics.md': metrics,
  'docs/reference/problems.md': problems,
  'docs/reference/events.md': events,
  'ARCHITECTURE.md': architecture.replace(CHART, (_, before, after) => before + drawStateChart() + after),
};

const stale = Object.entries(pages).filter(([page, text]) => read(page) !== text);
if (process.argv.includes('--check')) {
  for (const [page] of stale)
    process.stderr.write(`${page} does not match the code: run \`npm run docs:write\`.\n`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [page, text] of stale) writeFileSync(new URL(page, ROOT), text);
}
