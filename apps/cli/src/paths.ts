import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = new URL('../../../', import.meta.url);
const file = (path: string, base: string | URL = REPOSITORY): string => fileURLToPath(new URL(path, base));

/** The schema and its migrations. */
export const PRISMA_FOLDER = file('prisma');
/** What \`schema check\` compares. */
export const SCHEMA_FOLDERS = { prisma: PRISMA_FOLDER, sql: file('packages/store/sql') };

/** The built programs that `start` runs. */
export const PROGRAMS = {
  api: file('dist/api.js'),
  worker: file('dist/worker.js'),
  postgres: file('programs/postgres.js', import.meta.url),
  redis: file('programs/redis.js', import.meta.url),
  simulator: file('programs/simulator.js', import.meta.url),
};

/** Loaded before a program that does not watch its parent. */
export const END_WITH_PARENT = new URL('programs/end-with-parent.js', import.meta.url).href;

/** A path relative to the working directory, where it is inside. */
export function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
