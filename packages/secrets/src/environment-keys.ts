import { KEY_BYTES, openBytes, sealBytes } from './aes-gcm.ts';
import { DataKeyUnreadableError, KeyProviderError } from './errors.ts';
import { bindContext, type KeyContext, type KeyProvider, type WrappedKey } from './key-provider.ts';
import type { MasterKey, MasterKeys } from './master-keys.ts';

const PREFIX = 'env:';
const FORMAT = 'v1.';

/**
 * A provider whose master keys come from the environment, parsed by `parseMasterKeys`. To rotate without downtime,
 * configure the new key as the second one in every process, then as the first one, rewrap, and remove the old one.
 * A key's id is `env:` and its name; the ciphertext is `v1.` and nonce, tag and ciphertext in base64url.
 */
export function createEnvironmentKeys(masterKeys: MasterKeys): KeyProvider {
  const [current] = masterKeys;
  const currentId = PREFIX + current.id;

  function unwrap({ keyId, ciphertext }: WrappedKey, context: KeyContext): Buffer {
    const { key } = findKey(masterKeys, keyId);
    const sealed = decode(ciphertext);
    const dataKey = sealed && openBytes(key, bindContext(context, keyId), sealed);
    if (dataKey?.length !== KEY_BYTES) throw new DataKeyUnreadableError();
    return dataKey;
  }

  function wrap(dataKey: Buffer, context: KeyContext): WrappedKey {
    const sealed = sealBytes(current.key, bindContext(context, currentId), dataKey);
    return { keyId: currentId, ciphertext: FORMAT + sealed.toString('base64url') };
  }

  return {
    currentKeyId: async () => currentId,
    wrap: async (dataKey, context) => wrap(dataKey, context),
    unwrap: async (wrapped, context) => unwrap(wrapped, context),
    rewrap: async (wrapped, context) => {
      const dataKey = unwrap(wrapped, context);
      try {
        return wrapped.keyId === currentId ? wrapped : wrap(dataKey, context);
      } finally {
        dataKey.fill(0);
      }
    },
    close: () => undefined,
  };
}

function findKey(masterKeys: MasterKeys, keyId: string): MasterKey {
  const found = masterKeys.find(({ id }) => PREFIX + id === keyId);
  if (found !== undefined) return found;
  throw new KeyProviderError(
    'master_key_unknown',
    'The data key is wrapped under a master key that is not configured here.',
  );
}

function decode(ciphertext: string): Buffer | undefined {
  const encoded = ciphertext.slice(FORMAT.length);
  const sealed = Buffer.from(encoded, 'base64url');
  return ciphertext.startsWith(FORMAT) && sealed.toString('base64url') === encoded ? sealed : undefined;
}
