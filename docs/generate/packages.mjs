import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { code, table } from './markdown.mjs';

const ROOT = new URL('../../', import.meta.url);
const OURS = '@turnpike/';

function readPackages(folder) {
  const entries = readdirSync(new URL(folder, ROOT), { withFileTypes: true });
  return entries
    .filter(
      (entry) => entry.isDirectory() && existsSync(new URL(`${folder}/${entry.name}/package.json`, ROOT)),
    )
    .map((entry) => {
      const path = `${folder}/${entry.name}`;
      const manifest = JSON.parse(readFileSync(new URL(`${path}/package.json`, ROOT), 'utf8'));
      const { name, description, dependencies = {} } = manifest;
      const imports = Object.keys(dependencies)
        .filter((dependency) => dependency.startsWith(OURS))
        .map((dependency) => dependency.slice(OURS.length));
      return { path, name: name.replace(OURS, ''), description, imports };
    });
}

/** Those that import nothing first, then each after all that it imports. */
function inOrder(packages) {
  const ordered = [];
  while (ordered.length < packages.length) {
    const next = packages.filter(
      (one) =>
        !ordered.includes(one) && one.imports.every((name) => ordered.some((other) => other.name === name)),
    );
    if (next.length === 0) throw new Error('The packages import each other in a circle.');
    ordered.push(...next);
  }
  return ordered;
}

/** The packages and apps, what each is for and which others it imports, from their `package.json`. */
export function listPackages() {
  const rows = inOrder([
    ...readPackages('packages'),
    ...readPackages('packages/dialects'),
    ...readPackages('apps'),
  ]).map(({ path, description, imports }) => [
    `[${code(path)}](${path})`,
    description,
    imports.toSorted().map(code).join(', ') || 'none',
  ]);
  return table(['package', 'what it is', 'imports'], rows);
}
