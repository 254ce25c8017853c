import { readFile } from 'node:fs/promises';
import { createEnvironmentKeys } from './environment-keys.ts';
import { KeySettingsError } from './errors.ts';
import type { KeyProvider } from './key-provider.ts';
import type { KeySettings } from './key-settings.ts';
import { createVaultKeys } from './vault-keys.ts';
import type { VaultFetch } from './vault-settings.ts';

export interface KeyProviderDependencies {
  /** Creates the HTTP client for Vault; called once, only if Vault is used. `ca` (PEM) replaces the trusted authorities. */
  connect(settings: { ca?: string }): { fetch: VaultFetch; close(): Promise<void> };
  /** Called when Vault did not renew the token, while the token is still valid. */
  onRenewalFailure(error: Error): void;
}

/**
 * Opens the key provider that the settings name, without a request to Vault. Throws `KeySettingsError` for invalid
 * settings, including an unreadable certificate file.
 */
export async function openKeyProvider(
  settings: KeySettings,
  dependencies: KeyProviderDependencies,
): Promise<KeyProvider> {
  if (settings.provider === 'environment') return createEnvironmentKeys(settings.masterKeys);
  const { vault, caFile } = settings;
  const client = dependencies.connect(caFile === undefined ? {} : { ca: await readCertificates(caFile) });
  const { fetch } = client;
  const provider = createVaultKeys({
    ...vault,
    fetch,
    onRenewalFailure: dependencies.onRenewalFailure,
  });
  return {
    ...provider,
    close() {
      provider.close();
      // The provider has just ended all requests: nothing is left that could fail.
      client.close().catch(() => undefined);
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
