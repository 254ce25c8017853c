import { join } from 'node:path';

/** A file of the run of jest that is under way, which all of its processes see; the folder goes with the run. */
export function fileOfRun(name: string): string {
  const folder = process.env['TEST_RUN_FOLDER'];
  if (folder === undefined) throw new Error('TEST_RUN_FOLDER is not set.');
  return join(folder, name);
}
