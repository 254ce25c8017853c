import { RetryableError, TerminalError, type ValidationIssue } from '@turnpike/contract';

/**
 * An envelope that does not open: it was changed, it belongs to another row, or its format is not
 * known. The same envelope never opens. Which of these it is is not said, and no byte of it.
 */
export class SecretUnreadableError extends TerminalError {
  constructor(message = 'The secret cannot be opened here: it was changed, or it belongs elsewhere.') {
    super('secret_unreadable', message);
  }
}

/** A wrapped data key that its own master key does not open for this tenant. */
export class DataKeyUnreadableError extends TerminalError {
  constructor(
    message = 'The data key cannot be unwrapped for this tenant: it was changed, or it is not its own.',
  ) {
    super('data_key_unreadable', message);
  }
}

/** Why the holder of the master keys does not serve. */
export type KeyProviderCode =
  /** No connection, or no answer in time. */
  | 'key_provider_unreachable'
  /** Vault is sealed, or a standby that does not forward. */
  | 'key_provider_sealed'
  /** An answer that is of no use: an error of its own, too many requests, not the API of Vault. */
  | 'key_provider_failed'
  /** The token, the AppRole or the policy is not good enough. */
  | 'key_provider_refused'
  /** There is no such key, or it cannot bind a data key to its tenant. */
  | 'key_provider_misconfigured'
  /** Wrapped under a master key that this process was not given, as while a rotation is rolled out. */
  | 'master_key_unknown'
  /** `close` was called. */
  | 'key_provider_closed';

/**
 * The holder of the master keys does not serve us now. Nothing is wrong with what is stored, so it is
 * worth trying again: also where an operator has to act first, since a turn should survive a mistake
 * in a policy. Carries no answer of the other side and no cause, for those can quote a token.
 */
export class KeyProviderError extends RetryableError {
  declare readonly code: KeyProviderCode;

  constructor(code: KeyProviderCode, message: string, retryAfterMs = 5_000) {
    super(code, message, retryAfterMs);
  }
}

/** Settings that cannot be used, with every mistake. No issue quotes a value. */
export class KeySettingsError extends TerminalError {
  readonly issues: readonly ValidationIssue[];

  constructor(subject: string, issues: readonly ValidationIssue[]) {
    const list = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`));
    super('key_settings_invalid', `${subject} cannot be used: ${list.join('; ')}.`);
    this.issues = issues;
  }
}
