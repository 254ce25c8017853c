import { countDataKeys, rewrapDataKeys } from '@turnpike/store';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { withKeyProvider } from '../with-key-provider.ts';

const UNREADABLE_SHOWN = 20;

/**
 * Rewraps every data key with the current master key, or with `check` counts those that are not. Returns the exit code:
 * 1 where an older master key is still needed.
 */
export async function rewrapSecrets({ check = false }: { check?: boolean }): Promise<number> {
  return withDatabase(requireDatabaseUrl(), (database) =>
    withKeyProvider(async (provider) => {
      if (!check) {
        const { moved, keyId, unreadable } = await rewrapDataKeys(database, provider);
        say(`Rewrapped ${moved} data keys under ${keyId}.`);
        const shown = unreadable.slice(0, UNREADABLE_SHOWN).join(', ');
        if (shown !== '')
          say(`No master key that is given here opens ${unreadable.length} of them: ${shown}.`);
      }
      const current = await provider.currentKeyId();
      const counts = await countDataKeys(database.pool);
      const older = counts.filter(({ keyId }) => keyId !== current);
      const left = older.reduce((sum, { count }) => sum + count, 0);
      say(`${left} data keys are under older master keys.`);
      for (const { keyId, count } of older) say(`  ${count} under ${keyId}`);
      return left === 0 ? 0 : 1;
    }),
  );
}
