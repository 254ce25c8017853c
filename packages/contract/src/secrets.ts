import { z } from 'zod';

export const secretNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_.-]{1,128}$/, 'must be 1 to 128 of a-z, A-Z, 0-9, _, . and -')
  .meta({ example: 'crm_token' });

/** Where a body names a secret whose value is then sent somewhere: the document marks every such place. */
export const NAMES_SECRET = {
  description: 'The name of a secret. To name one takes the scope `secrets:use` or `secrets:write` as well.',
  'x-names-secret': true,
};

const HOST = /^(\[[0-9a-f:.]+\]|[^\s/?#@:*\\[\]]+)(?::(\d{1,5}))?$/i;

/** A host as URLs have it, with its port where one was given; null for what is no host. */
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
      message: 'must be a host such as `api.example.com`, or one with a port',
    });
    return z.NEVER;
  })
  .meta({ example: 'api.invalid' });

const allowedHosts = z.array(allowedHostSchema).min(1).max(32).meta({
  description: 'The only hosts that the value is sent to; one without a port stands for all of its ports.',
});

/** Written, and never read back. */
export const putSecretSchema = z
  .strictObject({
    value: z.string().min(1).max(65_536),
    allowed_hosts: allowedHosts.nullable().optional().meta({
      description: 'The only hosts that the value is sent to. Left out: as before; null: any host.',
    }),
  })
  .meta({ id: 'PutSecret' });

export const secretEntrySchema = z
  .object({
    object: z.literal('secret'),
    name: secretNameSchema,
    version: z.int().positive(),
    last_four: z.string().meta({ description: 'Empty where the value is short.' }),
    allowed_hosts: z
      .array(z.string())
      .nullable()
      .meta({ description: 'The only hosts that the value is sent to; null: any host.' }),
    model_key: z.boolean().meta({
      description:
        'Named as a key of the model: no tool sends it, unless `allowed_hosts` names the host of that tool.',
    }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Secret', description: 'What a secret is called; its value is not shown again.' });
export type SecretEntry = z.infer<typeof secretEntrySchema>;

/** Where a secret's value is about to be sent, and by what. */
export interface SecretDestination {
  url: string;
  by: 'tool' | 'model';
}

/** Why the value may not be sent there, in words that follow the secret's name; null where it may. */
export function secretRefusal(
  secret: Pick<SecretEntry, 'allowed_hosts' | 'model_key'>,
  { url, by }: SecretDestination,
): string | null {
  const { protocol, hostname, port } = new URL(url);
  const host = withoutDot(hostname);
  const { allowed_hosts: allowed, model_key: isModelKey } = secret;
  if (allowed !== null) {
    const usual = protocol === 'https:' ? '443' : '80';
    const isAllowed = allowed.includes(host) || allowed.includes(`${host}:${port === '' ? usual : port}`);
    return isAllowed ? null : `is not sent to ${host}, which its allowed_hosts does not name`;
  }
  if (by === 'tool' && isModelKey) {
    return `is a key of the model: it is sent to a tool only where its allowed_hosts names ${host}`;
  }
  return null;
}
