import { findUnreadableKeys, type Database } from '@turnpike/store';
import { withKeyProvider } from '../with-key-provider.ts';
import { failure, ok, warning, type Finding } from './finding.ts';

/** Whether the master keys that are given here open what is stored. No key is printed. */
export function checkKeys({ pool }: Database): Promise<Finding[]> {
  return withKeyProvider(async (provider) => {
    const current = await provider.currentKeyId();
    const { tried, unreadable } = await findUnreadableKeys(pool, provider);
    if (unreadable.length > 0)
      return [
        failure(
          'master_keys',
          `No key that is given here opens what is under ${unreadable.join(', ')}.`,
          'Give these master keys too, after the current one.',
        ),
      ];
    const older = tried.filter((keyId) => keyId !== current);
    if (older.length > 0)
      return [
        warning(
          'master_keys',
          `Everything can be opened. Older master keys are in use: ${older.join(', ')}.`,
          'Run turnpike secrets rewrap; then they can be removed.',
        ),
      ];
    return [ok('master_keys', `Everything that is stored can be opened by ${current}.`)];
  });
}
