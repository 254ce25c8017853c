// Writes docs/reference/licences.md: the licence of every package that runs in production, from the lock file and the
// installed packages. `--check` writes nothing, and fails where the file is not true any more. Either way it fails
// for a licence that is not on the list.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const TARGET = new URL('../docs/reference/licences.md', import.meta.url);
/** What may be used in a program under the MIT licence without any duty but to say so. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MPL-2.0',
  'Python-2.0',
  'Unlicense',
]);

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

function licenceOf(path, entry) {
  if (entry.license !== undefined) return entry.license;
  const file = `${path}/package.json`;
  return existsSync(new URL(`../${file}`, import.meta.url)) ? JSON.parse(read(file)).license : undefined;
}

const { packages } = JSON.parse(read('package-lock.json'));
const found = new Map();
for (const [path, entry] of Object.entries(packages)) {
  if (!path.includes('node_modules/') || entry.link || entry.dev || entry.devOptional) continue;
  const name = entry.name ?? path.split('node_modules/').at(-1);
  found.set(`${name}@${entry.version}`, { name, version: entry.version, licence: licenceOf(path, entry) });
}
const rows = [...found.values()].toSorted((a, b) =>
  `${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1,
);

const allowed = (licence) =>
  String(licence)
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((each) => ALLOWED.has(each)));
const refused = rows.filter(({ licence }) => !allowed(licence));
for (const { name, version, licence } of refused)
  process.stderr.write(
    `${name}@${version}: the licence ${licence} is not on the list of .ci/licences.mjs.\n`,
  );

const cells = [['package', 'version', 'licence'], ...rows.map((row) => [row.name, row.version, row.licence])];
const widths = [0, 1, 2].map((index) => Math.max(...cells.map((row) => String(row[index]).length)));
const line = (row) => `| ${row.map((cell, index) => String(cell).padEnd(widths[index])).join(' | ')} |`;
const table = [line(cells[0]), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)];
const text = `# Licences

Of every package that the programs use in production. Written by \`npm run licences\`.

${table.join('\n')}
`;

const isTrue = existsSync(TARGET) && readFileSync(TARGET, 'utf8') === text;
if (process.argv.includes('--check')) {
  if (!isTrue)
    process.stderr.write('docs/reference/licences.md is not true any more: run `npm run licences`.\n');
  process.exit(isTrue && refused.length === 0 ? 0 : 1);
}
writeFileSync(TARGET, text);
process.exit(refused.length === 0 ? 0 : 1);
