import { isDeepStrictEqual } from 'node:util';
import {
  ProblemError,
  type McpServerConfig,
  secretRefusal,
  type SecretDestination,
  type SecretEntry,
  type ToolConfig,
  type ValidationIssue,
} from '@turnpike/contract';
import { findSecrets, findToolsThatSend, markModelKeys } from '@turnpike/store';
import { throwIssues } from './throw-issues.ts';
import type { Call } from './route.ts';

/*
 * A secret's name and a destination meet in a tool (its headers and its URLs) and in a model call (the names of keys,
 * and the base_url, which only `admin` sets). A key that combines the two decides where the value is sent.
 */

type Asker = Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'may'>;

/** Throws `insufficient_scope` for a key that may not decide where a secret is sent. `act` names what it tried, for the error. */
function demandSecretUse({ may }: Pick<Asker, 'may'>, act: string): void {
  if (may('secrets:use')) return;
  throw new ProblemError(
    'insufficient_scope',
    `${act} needs a key with the scope secrets:use or secrets:write as well.`,
  );
}

/** What is sent secrets, and where. */
interface Sender {
  noun: string;
  urls: string[];
  /** Each with its path in the body, and where it is sent. */
  secrets: { path: string; secret: string; urls: string[] }[];
}

/**
 * Checks which secrets a tool sends, and where. `before` is its stored configuration, null for a new tool.
 * Throws `ProblemError`: `insufficient_scope`, and `invalid_request` for a secret that does not exist or may not be
 * sent there.
 */
export function checkToolSecrets(asker: Asker, config: ToolConfig, before: ToolConfig | null): Promise<void> {
  return checkSender(asker, senderOfTool(config), before === null ? null : senderOfTool(before));
}

/** As `checkToolSecrets`, for an MCP server. */
export function checkMcpSecrets(
  asker: Asker,
  config: McpServerConfig,
  before: McpServerConfig | null,
): Promise<void> {
  return checkSender(asker, senderOfMcp(config), before === null ? null : senderOfMcp(before));
}

async function checkSender(asker: Asker, sender: Sender, before: Sender | null): Promise<void> {
  const { noun, secrets } = sender;
  const sentBefore = before?.secrets ?? [];
  const isKept = secrets.every(({ path, secret }) =>
    sentBefore.some((known) => known.path === path && known.secret === secret),
  );
  const staysThere = before !== null && isDeepStrictEqual(sender.urls, before.urls);
  // Stored fields may be older than a rule: they do not prevent a change of other fields.
  if (isKept && staysThere) return;
  if (!isKept) demandSecretUse(asker, `To name a secret in ${noun}`);
  if (sentBefore.length > 0 && !staysThere)
    demandSecretUse(asker, `To change the URL of ${noun} with secrets`);
  if (secrets.length === 0) return;
  const known = await findSecrets(
    asker.sql,
    asker.tenantId,
    secrets.map(({ secret }) => secret),
  );
  throwIssues(
    secrets.flatMap(({ path, secret, urls }): ValidationIssue[] => {
      const destinations = urls.map((url): SecretDestination => ({ url, by: 'tool' }));
      const message = mistakeOf(secret, known.get(secret), destinations);
      return message === null ? [] : [{ path, message }];
    }),
  );
}

/**
 * Checks the names of model keys, and marks their secrets as model keys. `path` is their path in the body; `baseUrl`
 * is where they are sent, null where the operator decides that.
 * Throws `ProblemError`: `insufficient_scope`, and `invalid_request` for a secret that does not exist, may not be sent
 * there, or is sent by tools.
 */
export async function checkModelKeys(
  asker: Asker,
  names: readonly string[],
  path: string,
  baseUrl: string | null,
): Promise<void> {
  if (names.length === 0) return;
  const { sql, tenantId } = asker;
  demandSecretUse(asker, 'To name a secret as a key of the model');
  const known = await findSecrets(sql, tenantId, names);
  const newlyNamed = names.filter((name) => {
    const secret = known.get(name);
    return secret !== undefined && !secret.model_key && secret.allowed_hosts === null;
  });
  const senders = await findToolsThatSend(sql, tenantId, newlyNamed);
  const destinations: SecretDestination[] = baseUrl === null ? [] : [{ url: baseUrl, by: 'model' }];
  throwIssues(
    names.flatMap((name, index): ValidationIssue[] => {
      const tool = senders.get(name);
      const message =
        mistakeOf(name, known.get(name), destinations) ??
        (tool === undefined
          ? null
          : `the tool ${tool} sends the secret ${name}, and a key of the model is sent to a tool only where its allowed_hosts names the host`);
      return message === null ? [] : [{ path: `${path}.${index}`, message }];
    }),
  );
  await markModelKeys(sql, tenantId, names);
}

function mistakeOf(
  name: string,
  secret: SecretEntry | undefined,
  destinations: readonly SecretDestination[],
): string | null {
  if (secret === undefined) return `there is no secret ${name}`;
  const refusals = destinations.map((destination) => secretRefusal(secret, destination));
  const refusal = refusals.find((each) => each !== null);
  return refusal == null ? null : `the secret ${name} ${refusal}`;
}

function senderOfTool({ headers, url, reconcile_url: reconcileUrl }: ToolConfig): Sender {
  const urls = reconcileUrl === undefined ? [url] : [url, reconcileUrl];
  return { noun: 'a tool', urls, secrets: secretsIn(headers, urls) };
}

function senderOfMcp({ headers, url, auth }: McpServerConfig): Sender {
  const secrets = secretsIn(headers, [url]);
  if (auth === undefined) return { noun: 'an MCP server', urls: [url], secrets };
  const { issuer } = auth;
  const [field, { secret }] =
    auth.type === 'client_credentials'
      ? (['client_secret', auth.client_secret] as const)
      : (['private_key', auth.private_key] as const);
  secrets.push({ path: `auth.${field}.secret`, secret, urls: [issuer] });
  return { noun: 'an MCP server', urls: [url, issuer], secrets };
}

function secretsIn(headers: ToolConfig['headers'], urls: string[]): Sender['secrets'] {
  return Object.entries(headers).flatMap(([header, value]) =>
    typeof value === 'string' ? [] : [{ path: `headers.${header}.secret`, secret: value.secret, urls }],
  );
}
