import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

const BYTES = 32;

/** The master keys, kept in this file: without it, the secrets of tenants cannot be decrypted. */
export async function developmentMasterKeys(file: string): Promise<string> {
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept !== '') return kept;
  const made = `development:${randomBytes(BYTES).toString('base64')}`;
  await writeFile(file, `${made}\n`, { mode: 0o600 });
  return made;
}
