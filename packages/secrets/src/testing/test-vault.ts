import { Secret } from '@turnpike/telemetry';
import type { KeyProvider } from '../key-provider.ts';
import { createVaultKeys } from '../vault-keys.ts';
import type { VaultSettings } from '../vault-settings.ts';
import { VaultServer } from './vault-server.ts';

export const ROLE_ID = 'test-role-id';
export const SECRET_ID = 'test-secret-id';

export interface TestVault {
  server: VaultServer;
  /** A provider with fast retries, and by default with a token that does not expire. */
  open(settings?: Partial<VaultSettings>): KeyProvider;
  close(): Promise<void>;
}

/** Starts a server with a derived key `turnpike` and a key `plain` that is not derived. */
export async function startTestVault(): Promise<TestVault> {
  const server = new VaultServer();
  await server.start();
  server.transit.create('turnpike', { derived: true });
  server.transit.create('plain', { derived: false });
  server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 3_600, renewable: true });
  const opened: KeyProvider[] = [];
  return {
    server,
    open: (settings = {}) => {
      const token = new Secret(server.tokens.issue({ ttl: 0, renewable: false }));
      const provider = createVaultKeys({
        fetch,
        address: server.address,
        key: 'turnpike',
        auth: { method: 'token', token },
        backoffBaseMs: 20,
        timeoutMs: 2_000,
        ...settings,
      });
      opened.push(provider);
      return provider;
    },
    close: async () => {
      for (const provider of opened) provider.close();
      await server.stop();
    },
  };
}

/** Settings of the AppRole that `startTestVault` creates. */
export function appRole(secretId: string = SECRET_ID): VaultSettings['auth'] {
  return { method: 'approle', roleId: ROLE_ID, secretId: new Secret(secretId) };
}
