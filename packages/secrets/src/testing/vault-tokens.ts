import { randomBytes } from 'node:crypto';

export interface TokenTerms {
  /** Lifetime in seconds; zero: no expiry. */
  ttl: number;
  renewable: boolean;
  /** Maximum lifetime in seconds, including renewals. */
  maxTtl?: number;
}

interface Token extends TokenTerms {
  createdAt: number;
  endsAt: number;
}

/** The used part of Vault's tokens and AppRoles. */
export class VaultTokens {
  readonly #tokens = new Map<string, Token>();
  readonly #roles = new Map<string, { secretId: string; terms: TokenTerms }>();

  issue(terms: TokenTerms): string {
    const token = `hvs.${randomBytes(18).toString('base64url')}`;
    const createdAt = Date.now();
    this.#tokens.set(token, {
      ...terms,
      createdAt,
      endsAt: terms.ttl === 0 ? Infinity : createdAt + terms.ttl * 1_000,
    });
    return token;
  }

  addRole(roleId: string, secretId: string, terms: TokenTerms): void {
    this.#roles.set(roleId, { secretId, terms });
  }

  revokeAll(): void {
    this.#tokens.clear();
  }

  isValid(token: string): boolean {
    return (this.#tokens.get(token)?.endsAt ?? 0) > Date.now();
  }

  logIn(roleId: unknown, secretId: unknown): Record<string, unknown> | undefined {
    const role = this.#roles.get(String(roleId));
    if (role === undefined || role.secretId !== secretId) return undefined;
    const { ttl, renewable } = role.terms;
    return { client_token: this.issue(role.terms), lease_duration: ttl, renewable };
  }

  lookUp(token: string): Record<string, unknown> {
    const { ttl = 0, renewable = false } = this.#tokens.get(token) ?? {};
    return { ttl, renewable };
  }

  renew(token: string): Record<string, unknown> | undefined {
    const known = this.#tokens.get(token);
    if (known === undefined || !known.renewable) return undefined;
    const last = known.createdAt + (known.maxTtl ?? 86_400) * 1_000;
    known.endsAt = Math.min(Date.now() + known.ttl * 1_000, last);
    const left = Math.max(0, (known.endsAt - Date.now()) / 1_000);
    return { client_token: token, lease_duration: left, renewable: true };
  }
}
