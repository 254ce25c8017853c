import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = new URL('../../../', import.meta.url);
const file = (path: string, base: string | URL = REPOSITORY): string => fileURLToPath(new URL(path, base));

/** The schema and its migrations. */
export const PRISMA_FOLDER = file('prisma');
/** What \`schema check\` compares. */
export const SCHEMA_FOLDERS = { prisma: PRISMA_FOLDER, sql: file('packages/store/sql') };

/** The built programs that `start` and `dev` run, and the one that reads a project's config. */
export const PROGRAMS = {
  api: file('dist/api.js'),
  worker: file('dist/worker.js'),
  postgres: file('dist/postgres.js'),
  redis: file('dist/redis.js'),
  simulator: file('dist/simulator.js'),
  codeWorker: file('dist/code-worker.js'),
  describeConfig: file('dist/describe-config.js'),
};

/** Loaded before a program that does not watch its parent. */
export const END_WITH_PARENT = new URL('programs/end-with-parent.js', import.meta.url).href;
/** Loaded before a program that imports TypeScript. */
export const REGISTER = new URL('programs/register.js', import.meta.url).href;

/** A path relative to the working directory, where it is inside. */
export function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
