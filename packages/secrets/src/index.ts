export { createDataKeys, type DataKeys, type DataKeysBounds, type StoredDataKey } from './data-keys.ts';
export type { SecretContext } from './envelope.ts';
export { createEnvironmentKeys } from './environment-keys.ts';
export {
  DataKeyUnreadableError,
  KeyProviderError,
  type KeyProviderCode,
  SecretUnreadableError,
} from './errors.ts';
export {
  type KeyContext,
  type KeyProvider,
  readWrappedKey,
  type WrappedKey,
  writeWrappedKey,
} from './key-provider.ts';
export { type MasterKey, type MasterKeys, parseMasterKeys } from './master-keys.ts';
export { type KeySettings, keySettingsSchema, keyVariables } from './key-settings.ts';
export { type KeyProviderDependencies, openKeyProvider } from './open-key-provider.ts';
export { dataKeyIdOf, openSecret, sealSecret } from './seal-secret.ts';
export type { VaultFetch, VaultSettings } from './vault-settings.ts';
export { readEnvironment } from './read-environment.ts';
