import { appendFileSync } from 'node:fs';

/** Has the report at the end of a run count one more program of ours that was started. */
export function countStart(name: string): void {
  const file = process.env['TEST_STARTS_FILE'];
  if (file !== undefined) appendFileSync(file, `${name}\n`);
}
