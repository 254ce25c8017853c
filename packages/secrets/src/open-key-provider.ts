import { readFile } from 'node:fs/promises';
import { createEnvironmentKeys } from './environment-keys.ts';
import { KeySettingsError } from './errors.ts';
import type { KeyProvider } from './key-provider.ts';
import type { KeySettings } from './key-settings.ts';
import { createVaultKeys } from './vault-keys.ts';
import type { VaultFetch } from './vault-settings.ts';

export interface KeyProviderParts {
  /** The way to Vault, asked for once and only where it is needed; `ca` is what it trusts, PEM, and nothing else. */
  connect(settings: { ca?: string }): { fetch: VaultFetch; close(): Promise<void> };
  /** Vault did not renew the token. There is still time. */
  onRenewalFailure(error: Error): void;
}

/**
 * Whoever holds the master keys, as the settings say. Nothing is asked of Vault yet. Throws
 * `KeySettingsError` for settings that cannot be used, also for a file of certificates that cannot be read.
 */
export async function openKeyProvider(settings: KeySettings, parts: KeyProviderParts): Promise<KeyProvider> {
  if (settings.provider === 'environment') return createEnvironmentKeys(settings.masterKeys);
  const { vault, caFile } = settings;
  const way = parts.connect(caFile === undefined ? {} : { ca: await readCertificates(caFile) });
  const { fetch } = way;
  const provider = createVaultKeys({ ...vault, fetch, onRenewalFailure: parts.onRenewalFailure });
  return {
    ...provider,
    close() {
      provider.close();
      // What is under way was ended a line before; there is nothing left that could fail.
      way.close().catch(() => undefined);
    },
  };
}

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new KeySettingsError('The settings of Vault', [
      { path: 'VAULT_CACERT', message: 'names a file that cannot be read' },
    ]);
  }
}
