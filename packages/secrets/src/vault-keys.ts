import type { KeyProvider } from './key-provider.ts';
import { parseSettings } from './parse-settings.ts';
import { connectVaultApi } from './vault-api.ts';
import { VaultSession } from './vault-session.ts';
import { type VaultSettings, vaultSettingsSchema } from './vault-settings.ts';
import { VaultTransit } from './vault-transit.ts';

/**
 * Master keys that never leave HashiCorp Vault: its transit engine, by HTTP. A key's id is
 * `vault:<mount>/<key>:v<version>`. Nothing is sent before the first call, which logs in: ask for
 * `currentKeyId` at the start to know then whether all is in order. Before it wraps anything it proves,
 * once, that Vault binds to the tenant: Vault ignores a `context` that its key was not made for.
 * Throws `KeySettingsError`.
 */
export function createVaultKeys(settings: VaultSettings): KeyProvider {
  const rules = parseSettings('The settings of Vault', vaultSettingsSchema, settings);
  const api = connectVaultApi(rules);
  const session = new VaultSession(api, rules);
  const transit = new VaultTransit(session, rules);
  let proven: Promise<void> | undefined;

  function prove(): Promise<void> {
    proven ??= transit.proveBinding().catch((error: unknown) => {
      proven = undefined;
      throw error;
    });
    return proven;
  }

  return {
    currentKeyId: async () => {
      await prove();
      return transit.latestKeyId();
    },
    wrap: async (dataKey, context) => {
      await prove();
      return transit.encrypt(dataKey, context);
    },
    unwrap: (wrapped, context) => transit.decrypt(wrapped, context),
    rewrap: (wrapped, context) => transit.rewrap(wrapped, context),
    close: () => {
      session.close();
      api.close();
    },
  };
}
