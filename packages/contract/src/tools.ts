import { z } from 'zod';
import { effectSchema } from './effects.ts';
import { idSchema } from './ids.ts';
import { NAMES_SECRET } from './secrets.ts';
import { addIssues } from './issues.ts';
import { toolSchemaIssues } from './messages-api/tool-schema.ts';

/** What the Messages API takes for a tool's name. */
export const toolNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'must be 1 to 64 of a-z, A-Z, 0-9, _ and -');

/** A JSON Schema (draft 2020-12) of an object: what the model must give. */
export const inputSchemaSchema = z
  .looseObject({ type: z.literal('object') })
  .refine((schema) => JSON.stringify(schema).length <= 100_000, 'must have at most 100,000 characters')
  .meta({ description: 'A JSON Schema of an object.', example: { type: 'object', properties: {} } });
export type InputSchema = z.infer<typeof inputSchemaSchema>;

/**
 * What becomes of a call that was sent and gave no answer, where it may not be sent again:
 * the model is told so, a person is asked, or the turn fails.
 */
export const onUnknownSchema = z.enum(['tell_model', 'ask', 'fail']);
export type OnUnknown = z.infer<typeof onUnknownSchema>;

const toolUrl = z.url({ protocol: /^https?$/ }).max(2_000);

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'must be a header name');
const headerValue = z.union([
  z
    .string()
    .max(8_000)
    .regex(/^[\t\x20-\x7e]*$/, 'must be visible ASCII characters'),
  z
    // What is stored may be older than the rule for names; one that breaks it is none of a secret.
    .strictObject({ secret: z.string().min(1).max(128).meta(NAMES_SECRET) })
    .meta({ description: 'The value of this secret, put in at the moment of the call.' }),
]);

/** A tool of the tenant's own, reached over HTTP. */
export const toolConfigSchema = z.strictObject({
  description: z.string().min(1).max(10_000).meta({ description: 'Tells the model what it does and when.' }),
  input_schema: inputSchemaSchema,
  url: toolUrl,
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
  headers: z
    .record(headerName, headerValue)
    .refine((headers) => Object.keys(headers).length <= 32, 'at most 32 headers')
    .default({}),
  effect: effectSchema.default('idempotent').meta({
    description:
      'What a second identical call would do. `idempotent`: your side removes duplicates by the Idempotency-Key.',
  }),
  reconcile_url: toolUrl.optional().meta({
    description: 'Asked after a crash, with `?tool_call_id=`: did the call happen, and with what result?',
  }),
  on_unknown: onUnknownSchema.default('tell_model'),
  timeout_ms: z.int().min(100).max(600_000).default(30_000),
  max_output_bytes: z.int().min(256).max(1_048_576).default(65_536),
});
export type ToolConfig = z.infer<typeof toolConfigSchema>;

/** What cannot be used of a configuration that is given; one that is stored may be older than a rule. */
function checkTool(tool: ToolConfig, context: z.RefinementCtx): void {
  const issues = toolSchemaIssues(tool.input_schema);
  const inSchema = issues.map(({ path, message }) => ({ path: `input_schema.${path}`, message }));
  addIssues(inSchema, context);
  if ((tool.effect === 'reconcile') === (tool.reconcile_url !== undefined)) return;
  const message = 'is needed for the effect `reconcile`, and has no meaning for any other';
  addIssues([{ path: 'reconcile_url', message }], context);
}

export const createToolSchema = toolConfigSchema
  .extend({ name: toolNameSchema })
  .superRefine(checkTool)
  .meta({ id: 'CreateTool' });
export type CreateTool = z.infer<typeof createToolSchema>;

/** The whole configuration again; the name stays. */
export const updateToolSchema = toolConfigSchema.superRefine(checkTool).meta({ id: 'UpdateTool' });

export const toolSchema = toolConfigSchema
  .extend({
    id: idSchema('tool'),
    object: z.literal('tool'),
    name: toolNameSchema,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Tool', description: "An HTTP tool of the tenant's own." });
export type Tool = z.infer<typeof toolSchema>;

/** The only time that the key which calls are signed with can be seen. */
export const createdToolSchema = toolSchema
  .extend({ signing_secret: z.string().meta({ example: 'whsec_...' }) })
  .meta({ id: 'CreatedTool' });

/** A registered tool as a turn's worker has it. */
export interface RegisteredTool {
  name: string;
  config: ToolConfig;
  /** Sealed; opened at the moment of use. */
  signingSecret: SealedSecret;
}

/** A secret as it is stored: nobody can read it without the tenant's data key. */
export interface SealedSecret {
  name: string;
  field: string;
  version: number;
  envelope: string;
}
