import { isDeepStrictEqual } from 'node:util';
import {
  ProblemError,
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

/**
 * Checks which secrets a tool sends, and where. `before` is its stored configuration, null for a new tool.
 * Throws `ProblemError`: `insufficient_scope`, and `invalid_request` for a secret that does not exist or may not be
 * sent there.
 */
export async function checkToolSecrets(
  asker: Asker,
  config: ToolConfig,
  before: ToolConfig | null,
): Promise<void> {
  const [sent, sentBefore] = [secretsOf(config), before === null ? [] : secretsOf(before)];
  const isKept = sent.every((each) => sentBefore.some((known) => isDeepStrictEqual(known, each)));
  const staysThere = before !== null && isDeepStrictEqual(urlsOf(config), urlsOf(before));
  // Stored fields may be older than a rule: they do not prevent a change of other fields.
  if (isKept && staysThere) return;
  if (!isKept) demandSecretUse(asker, 'To name a secret in a tool');
  if (sentBefore.length > 0 && !staysThere)
    demandSecretUse(asker, 'To change the URL of a tool with secrets');
  if (sent.length === 0) return;
  const known = await findSecrets(
    asker.sql,
    asker.tenantId,
    sent.map(({ secret }) => secret),
  );
  throwIssues(
    sent.flatMap(({ header, secret }): ValidationIssue[] => {
      const destinations = urlsOf(config).map((url): SecretDestination => ({ url, by: 'tool' }));
      const message = mistakeOf(secret, known.get(secret), destinations);
      return message === null ? [] : [{ path: `headers.${header}.secret`, message }];
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

function secretsOf({ headers }: ToolConfig): { header: string; secret: string }[] {
  return Object.entries(headers).flatMap(([header, value]) =>
    typeof value === 'string' ? [] : [{ header, secret: value.secret }],
  );
}

function urlsOf({ url, reconcile_url: reconcileUrl }: ToolConfig): string[] {
  return reconcileUrl === undefined ? [url] : [url, reconcileUrl];
}
