import { appendFileSync } from 'node:fs';
import { fileOfRun } from './run-folder.ts';

/** Has the report at the end of a run count one more program of ours that was started. */
export function countStart(name: string): void {
  appendFileSync(fileOfRun('starts'), `${name}\n`);
}
