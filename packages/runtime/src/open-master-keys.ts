import { createUpstreamFetch } from '@turnpike/egress';
import { openKeyProvider, type KeyProvider, type KeySettings } from '@turnpike/secrets';
import type { Report } from '@turnpike/telemetry';

/** How long Vault may be silent in the middle of a response. */
const VAULT_IDLE_MS = 10_000;

/**
 * Opens the provider of the master keys. One that cannot be reached yet is reported and does not prevent the start:
 * only what needs a key waits for it. Throws `KeySettingsError` for settings that can never work.
 */
export async function openMasterKeys(settings: KeySettings, warn: Report): Promise<KeyProvider> {
  const masterKeys = await openKeyProvider(settings, {
    connect: ({ ca }) =>
      createUpstreamFetch({ idleTimeoutMs: VAULT_IDLE_MS, ...(ca === undefined ? {} : { ca }) }),
    onRenewalFailure: warn('Vault did not renew the token.'),
  });
  masterKeys.currentKeyId().catch(warn('The master keys are not available.'));
  return masterKeys;
}
