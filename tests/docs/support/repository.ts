import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
/** What is installed, built, generated or left by a run. */
const IS_NOT_SOURCE = new Set([
  'node_modules',
  'dist',
  'generated',
  'results',
  'coverage',
  '.git',
  '.turnpike',
]);

/** Every file that is written by hand, as a path from the top of the repository. */
export function repositoryFiles(folder = ''): string[] {
  return readdirSync(REPOSITORY + folder, { withFileTypes: true }).flatMap((entry) => {
    if (IS_NOT_SOURCE.has(entry.name)) return [];
    const path = folder + entry.name;
    return entry.isDirectory() ? repositoryFiles(`${path}/`) : [path];
  });
}

/** The text of a file, named by its path from the top of the repository. */
export const readRepositoryFile = (path: string): string => readFileSync(REPOSITORY + path, 'utf8');
