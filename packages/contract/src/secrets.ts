import { z } from 'zod';

export const secretNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_.-]{1,128}$/, 'must be 1 to 128 of a-z, A-Z, 0-9, _, . and -')
  .meta({ example: 'crm_token' });

/** Written, and never read back. */
export const putSecretSchema = z
  .strictObject({ value: z.string().min(1).max(65_536) })
  .meta({ id: 'PutSecret' });

export const secretEntrySchema = z
  .object({
    object: z.literal('secret'),
    name: secretNameSchema,
    version: z.int().positive(),
    last_four: z.string().meta({ description: 'Empty where the value is short.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Secret', description: 'What a secret is called; its value is not shown again.' });
export type SecretEntry = z.infer<typeof secretEntrySchema>;
