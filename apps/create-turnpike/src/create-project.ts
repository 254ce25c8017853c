import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEMPLATE = fileURLToPath(new URL('../template', import.meta.url));
const MANIFEST = new URL('../package.json', import.meta.url);
/** Files with `{{name}}` and `{{version}}` in them. */
const FILLED = ['package.json', 'README.md', 'docker-compose.yml'];
/** npm leaves files of these names out of packages. */
const RENAMED = { gitignore: '.gitignore', dockerignore: '.dockerignore' };
/** What a package on npm may be called, without a scope. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,213}$/;

/** An error that the person at the terminal can act on. */
export class ProjectError extends Error {
  override readonly name = 'ProjectError';
}

/**
 * Copies the template into a folder, which is made where it is missing and must be empty. Throws a `ProjectError` for a
 * folder that is not empty, and for one whose name no package can have.
 */
export async function createProject(
  folder: string,
  directory: string,
): Promise<{ name: string; path: string }> {
  const path = resolve(directory, folder);
  const name = basename(path).toLowerCase();
  if (!NAME.test(name)) {
    throw new ProjectError(`"${name}" cannot be the name of a package: use a-z, 0-9, "-", "_" and ".".`);
  }
  await mkdir(path, { recursive: true });
  // A repository that was just made is empty enough.
  const found = (await readdir(path)).filter((file) => file !== '.git');
  if (found.length > 0)
    throw new ProjectError(`${path} is not empty: it has ${found.slice(0, 3).join(', ')}.`);
  const { version } = JSON.parse(await readFile(MANIFEST, 'utf8')) as { version: string };
  await cp(TEMPLATE, path, { recursive: true });
  for (const [from, to] of Object.entries(RENAMED)) await rename(join(path, from), join(path, to));
  for (const file of FILLED) {
    const text = await readFile(join(path, file), 'utf8');
    await writeFile(join(path, file), text.replaceAll('{{name}}', name).replaceAll('{{version}}', version));
  }
  return { name, path };
}
