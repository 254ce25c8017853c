import { Secret } from '@turnpike/telemetry';
import type { KeyProvider } from '../key-provider.ts';
import { createVaultKeys } from '../vault-keys.ts';
import type { VaultSettings } from '../vault-settings.ts';
import { VaultServer } from './vault-server.ts';

export const ROLE_ID = 'the-role-of-the-test';
export const SECRET_ID = 'the-secret-id-of-the-test';

export interface TestVault {
  server: VaultServer;
  /** A provider with a token without end, unless told otherwise. Retries come fast. */
  open(settings?: Partial<VaultSettings>): KeyProvider;
  close(): Promise<void>;
}

/** A server with a derived key `turnpike` and one that is not, `plain`. */
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

/** Settings of the AppRole that `startTestVault` knows. */
export function appRole(secretId: string = SECRET_ID): VaultSettings['auth'] {
  return { method: 'approle', roleId: ROLE_ID, secretId: new Secret(secretId) };
}
