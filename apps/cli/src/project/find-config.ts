import { existsSync } from 'node:fs';
import { join } from 'node:path';

const NAMES = ['turnpike.config.ts', 'turnpike.config.mts', 'turnpike.config.js', 'turnpike.config.mjs'];

/** The config of a project; null where it has none. */
export function findConfig(directory: string): string | null {
  return NAMES.map((name) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}
