import { z } from 'zod';

export const secretNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_.-]{1,128}$/, 'must be 1 to 128 of a-z, A-Z, 0-9, _, . and -')
  .meta({ example: 'crm_token' });

/** Marks a field of the OpenAPI document that names a secret whose value is sent somewhere. */
export const NAMES_SECRET = {
  description: 'The name of a secret. Setting it also requires the scope `secrets:use` or `secrets:write`.',
  'x-names-secret': true,
};

const HOST = /^(\[[0-9a-f:.]+\]|[^\s/?#@:*\\[\]]+)(?::(\d{1,5}))?$/i;

/** A host in the form of URLs, with its port if one was given; null if the text is not a host. */
function normalHost(text: string): string | null {
  const [, host = '', port] = HOST.exec(text) ?? [];
  const parsed = URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname : '';
  if (parsed === '' || Number(port) > 65_535) return null;
  return port === undefined ? withoutDot(parsed) : `${withoutDot(parsed)}:${Number(port)}`;
}

const withoutDot = (host: string): string => host.replace(/\.$/, '');

const allowedHostSchema = z
  .string()
  .min(1)
  .max(260)
  .transform((text, context) => {
    const host = normalHost(text);
    if (host !== null) return host;
    context.addIssue({
      code: 'custom',
      message: 'must be a host such as `api.example.com`, optionally with a port',
    });
    return z.NEVER;
  })
  .meta({ example: 'api.invalid' });

const allowedHosts = z.array(allowedHostSchema).min(1).max(32).meta({
  description: 'The only hosts that the value is sent to. A host without a port allows all its ports.',
});

/** The value is write-only. */
export const putSecretSchema = z
  .strictObject({
    value: z.string().min(1).max(65_536),
    allowed_hosts: allowedHosts.nullable().optional().meta({
      description: 'The only hosts that the value is sent to. If omitted, unchanged; null: any host.',
    }),
  })
  .meta({ id: 'PutSecret' });

export const secretEntrySchema = z
  .object({
    object: z.literal('secret'),
    name: secretNameSchema,
    version: z.int().positive(),
    last_four: z.string().meta({ description: 'Empty if the value is short.' }),
    allowed_hosts: z
      .array(z.string())
      .nullable()
      .meta({ description: 'The only hosts that the value is sent to; null: any host.' }),
    model_key: z.boolean().meta({
      description:
        'The secret is configured as a model key. Tools do not send it, unless `allowed_hosts` contains their host.',
    }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Secret', description: 'A secret, without its value.' });
export type SecretEntry = z.infer<typeof secretEntrySchema>;

/** Where a secret's value is about to be sent, and by which component. `code`: given to a worker's own code. */
export type SecretDestination = { url: string; by: 'tool' | 'model' } | { by: 'code' };

/** Why the value must not be sent there, as a predicate that follows the secret's name; null if it may be sent. */
export function secretRefusal(
  secret: Pick<SecretEntry, 'allowed_hosts' | 'model_key'>,
  destination: SecretDestination,
): string | null {
  const { allowed_hosts: allowed, model_key: isModelKey } = secret;
  if (destination.by === 'code') {
    // What the operator's code does with it is not seen here.
    return isModelKey ? 'is a model key: tools in code are not given it' : null;
  }
  const { url, by } = destination;
  const { protocol, hostname, port } = new URL(url);
  const host = withoutDot(hostname);
  if (allowed !== null) {
    const defaultPort = protocol === 'https:' ? '443' : '80';
    const isAllowed =
      allowed.includes(host) || allowed.includes(`${host}:${port === '' ? defaultPort : port}`);
    return isAllowed ? null : `is not sent to ${host}: its allowed_hosts do not contain this host`;
  }
  if (by === 'tool' && isModelKey) {
    return `is a model key: tools send it to ${host} only if its allowed_hosts contain this host`;
  }
  return null;
}
