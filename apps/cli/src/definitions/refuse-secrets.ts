import type { CreateTool } from '@turnpike/contract';

/** Headers that carry a credential. */
const CREDENTIAL_HEADER = /^(authorization|proxy-authorization|cookie)$|api-?key|token|secret|password/i;

/** Secrets that are known by their shape: keys of models and of Turnpike, signing secrets, passwords in URLs. */
const SECRET_SHAPE =
  /(?<![a-z])(?:sk-ant|tp_live|whsec)[-_][A-Za-z0-9_+/=-]{16,}|[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/]*:[^\s@/]+@/;

export interface Find {
  path: string;
  message: string;
}

/** Values in a definition that look like secrets: a file is read by many, so it names secrets and never holds one. */
export function findSecretValues(value: unknown): Find[] {
  return collect(value, []);
}

/** Headers of a tool that carry a credential as plain text. */
export function findCredentials({ headers }: Pick<CreateTool, 'headers'>): Find[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    typeof value === 'string' && CREDENTIAL_HEADER.test(name)
      ? [
          {
            path: `headers.${name}`,
            message: 'must name a secret, { secret: name }: store its value with PUT /v1/secrets/{name}',
          },
        ]
      : [],
  );
}

function collect(value: unknown, path: readonly string[]): Find[] {
  if (typeof value === 'string') {
    const message = 'looks like a secret value: store it as a secret, and name that here';
    return SECRET_SHAPE.test(value) ? [{ path: path.join('.'), message }] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => collect(inner, [...path, key]));
}
