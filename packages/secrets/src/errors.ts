import { RetryableError, TerminalError, type ValidationIssue } from '@turnpike/contract';

/**
 * An envelope cannot be decrypted: it was changed, it belongs to another row, or its format is unknown. A retry
 * never succeeds. The error neither tells which of these it is, nor contains a byte of the envelope.
 */
export class SecretUnreadableError extends TerminalError {
  constructor(message = 'The secret cannot be decrypted: it was changed, or it belongs elsewhere.') {
    super('secret_unreadable', message);
  }
}

/** A wrapped data key that its master key does not unwrap for this tenant. */
export class DataKeyUnreadableError extends TerminalError {
  constructor(
    message = 'The data key cannot be unwrapped for this tenant: it was changed, or belongs to another tenant.',
  ) {
    super('data_key_unreadable', message);
  }
}

/** Why the key provider failed. */
export type KeyProviderCode =
  /** No connection, or no response in time. */
  | 'key_provider_unreachable'
  /** Vault is sealed, or a standby that does not forward requests. */
  | 'key_provider_sealed'
  /** An unusable response: a server error, too many requests, or not a response of Vault. */
  | 'key_provider_failed'
  /** The token or the AppRole was rejected, or its policy does not permit the request. */
  | 'key_provider_refused'
  /** The key does not exist, or it cannot bind a data key to its tenant. */
  | 'key_provider_misconfigured'
  /** The data key is wrapped under a master key that this process does not have, such as during a rotation. */
  | 'master_key_unknown'
  /** `close` was called. */
  | 'key_provider_closed';

/**
 * The key provider cannot be used now. The stored data is intact, so a retry may succeed. This includes errors that an
 * operator must fix first: a turn should survive a mistake in a policy. The error contains neither the provider's
 * response nor a cause, because those can contain a token.
 */
export class KeyProviderError extends RetryableError {
  declare readonly code: KeyProviderCode;

  constructor(code: KeyProviderCode, message: string, retryAfterMs = 5_000) {
    super(code, message, retryAfterMs);
  }
}

/** Invalid settings, with all issues. No issue contains a value. */
export class KeySettingsError extends TerminalError {
  readonly issues: readonly ValidationIssue[];

  constructor(subject: string, issues: readonly ValidationIssue[]) {
    const list = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`));
    super('key_settings_invalid', `${subject} are not valid: ${list.join('; ')}.`);
    this.issues = issues;
  }
}
