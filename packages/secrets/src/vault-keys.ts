import type { KeyProvider } from './key-provider.ts';
import { parseSettings } from './parse-settings.ts';
import { connectVaultApi } from './vault-api.ts';
import { VaultSession } from './vault-session.ts';
import { type VaultSettings, vaultSettingsSchema } from './vault-settings.ts';
import { VaultTransit } from './vault-transit.ts';

/**
 * A provider whose master keys stay in HashiCorp Vault, in the transit engine. A key's id is
 * `vault:<mount>/<key>:v<version>`. The first call logs in; nothing is sent before. Call `currentKeyId` at startup to
 * verify the configuration. Before the first `wrap` it verifies once that Vault binds to the tenant: Vault ignores
 * `context` if the key was not created for it.
 * Throws `KeySettingsError`.
 */
export function createVaultKeys(settings: VaultSettings): KeyProvider {
  const rules = parseSettings('The settings of Vault', vaultSettingsSchema, settings);
  const api = connectVaultApi(rules);
  const session = new VaultSession(api, rules);
  const transit = new VaultTransit(session, rules);
  let verified: Promise<void> | undefined;

  function verifyOnce(): Promise<void> {
    verified ??= transit.verifyBinding().catch((error: unknown) => {
      verified = undefined;
      throw error;
    });
    return verified;
  }

  return {
    currentKeyId: async () => {
      await verifyOnce();
      return transit.latestKeyId();
    },
    wrap: async (dataKey, context) => {
      await verifyOnce();
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
