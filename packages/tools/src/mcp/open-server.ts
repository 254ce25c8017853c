import { createHash } from 'node:crypto';
import {
  ClientCredentialsProvider,
  PrivateKeyJwtProvider,
  type OAuthClientProvider,
} from '@modelcontextprotocol/client';
import type { McpAuth, McpServerOfTurn } from '@turnpike/contract';
import { hideValue, type Secret } from '@turnpike/telemetry';
import { LRUCache } from 'lru-cache';
import type { ToolSecrets } from '../ports.ts';

/** A server with its secrets opened. */
export interface OpenedServer {
  id: string;
  name: string;
  url: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  auth: OpenedAuth | null;
  /** Values that nothing may show. */
  hidden: readonly string[];
  /** Differs where anything of the above does. */
  fingerprint: string;
}

/** The SDK's provider, which keeps its token, and the secret that it proves itself with. */
export interface OpenedAuth {
  provider: OAuthClientProvider;
  secretName: string;
}

/** Tokens are kept for as long as the credentials are the same. */
const MOST_PROVIDERS = 1_000;
const PROVIDER_MS = 30 * 60_000;

export class ServerOpener {
  readonly #secrets: ToolSecrets;
  readonly #providers = new LRUCache<string, OpenedAuth>({ max: MOST_PROVIDERS, ttl: PROVIDER_MS });

  constructor(secrets: ToolSecrets) {
    this.#secrets = secrets;
  }

  /**
   * Opens the secrets that a server is sent. Resolves with a message where one does not exist. Throws
   * `RetryableError` where they are unavailable now, and a `TerminalError` (`secret_refused`) where one may not be sent
   * there.
   */
  async open(
    tenantId: string,
    { id, name, config }: Pick<McpServerOfTurn, 'id' | 'name' | 'config'>,
  ): Promise<OpenedServer | { refusal: string }> {
    const { url, auth } = config;
    const headers: Record<string, string> = {};
    const hidden: string[] = [];
    const missing = (secret: string) => ({
      refusal: `secret_not_found: ${name} needs the secret ${secret}, which does not exist. Nothing was sent.`,
    });
    for (const [header, value] of Object.entries(config.headers)) {
      if (typeof value === 'string') {
        headers[header.toLowerCase()] = value;
        continue;
      }
      const secret = await this.#secrets.read(tenantId, value.secret, { url, by: 'tool' });
      if (secret === null) return missing(value.secret);
      headers[header.toLowerCase()] = secret.reveal();
      hidden.push(secret.reveal());
    }
    const secretName = auth === undefined ? null : secretOf(auth);
    const credential =
      auth === undefined || secretName === null
        ? null
        : await this.#secrets.read(tenantId, secretName, { url: auth.issuer, by: 'tool' });
    if (secretName !== null && credential === null) return missing(secretName);
    if (credential !== null) hidden.push(credential.reveal());
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([tenantId, id, url, headers, auth ?? null, credential?.reveal() ?? null]))
      .digest('hex');
    const opened =
      auth === undefined || credential === null ? null : this.#provider(fingerprint, auth, credential);
    return { id, name, url, headers, auth: opened, hidden, fingerprint };
  }

  #provider(fingerprint: string, auth: McpAuth, credential: Secret): OpenedAuth {
    const known = this.#providers.get(fingerprint);
    if (known !== undefined) return known;
    const opened = { provider: providerOf(auth, credential), secretName: secretOf(auth) };
    this.#providers.set(fingerprint, opened);
    return opened;
  }
}

function secretOf(auth: McpAuth): string {
  return auth.type === 'client_credentials' ? auth.client_secret.secret : auth.private_key.secret;
}

function providerOf(auth: McpAuth, credential: Secret): OAuthClientProvider {
  const { client_id: clientId, issuer: expectedIssuer, scope } = auth;
  const common = {
    clientId,
    expectedIssuer,
    clientName: 'Turnpike',
    ...(scope === undefined ? {} : { scope }),
  };
  return auth.type === 'client_credentials'
    ? new ClientCredentialsProvider({ ...common, clientSecret: credential.reveal() })
    : new PrivateKeyJwtProvider({
        ...common,
        privateKey: credential.reveal(),
        algorithm: auth.algorithm,
      });
}

/** The values that must not be shown, with the token that the server is sent now. */
export async function hiddenBy(server: OpenedServer): Promise<string[]> {
  const tokens = await server.auth?.provider.tokens();
  if (tokens === undefined) return [...server.hidden];
  // In logs too.
  hideValue(tokens.access_token);
  return [...server.hidden, tokens.access_token];
}
