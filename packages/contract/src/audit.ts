import { z } from 'zod';
import { idSchema } from './ids.ts';

/** The action as `noun.verb`: `secret.put`, `api_key.revoked`. */
export const auditActionSchema = z
  .string()
  .regex(/^[a-z_]{1,48}\.[a-z_]{1,48}$/, 'must have the form `secret.put`')
  .meta({ example: 'secret.put' });

export const auditActorSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('api_key'), id: idSchema('apiKey') }),
  z.object({ type: z.literal('operator') }),
]);
export type AuditActor = z.infer<typeof auditActorSchema>;

/** Names, versions and counts. Never the value of a secret or content of a conversation. */
export const auditDetailsSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]),
);
export type AuditDetails = z.infer<typeof auditDetailsSchema>;

export const auditEntrySchema = z
  .object({
    id: idSchema('auditEntry'),
    object: z.literal('audit_entry'),
    at: z.iso.datetime(),
    actor: auditActorSchema,
    action: auditActionSchema,
    subject: z.string().nullable().meta({ description: 'The id or the name of the object of the action.' }),
    request_id: z.string().nullable(),
    details: auditDetailsSchema,
  })
  .meta({ id: 'AuditEntry', description: 'An administrative action. Entries are never changed or deleted.' });
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** An entry before it is written to the log. */
export interface NewAuditEntry {
  tenantId: string;
  actor: AuditActor;
  action: string;
  subject: string | null;
  requestId?: string;
  details?: AuditDetails;
}
