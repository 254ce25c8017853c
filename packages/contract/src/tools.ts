import { z } from 'zod';
import { effectSchema } from './effects.ts';
import { idSchema } from './ids.ts';
import { NAMES_SECRET } from './secrets.ts';
import { addIssues } from './issues.ts';
import { toolSchemaIssues } from './messages-api/tool-schema.ts';

/** The tool names that the Messages API accepts. */
export const toolNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'must be 1 to 64 of a-z, A-Z, 0-9, _ and -');

/** A JSON Schema (draft 2020-12) of the tool's input, which is an object. */
export const inputSchemaSchema = z
  .looseObject({ type: z.literal('object') })
  .refine((schema) => JSON.stringify(schema).length <= 100_000, 'must have at most 100,000 characters')
  .meta({ description: 'A JSON Schema of an object.', example: { type: 'object', properties: {} } });
export type InputSchema = z.infer<typeof inputSchemaSchema>;

/**
 * What happens when a call was sent, got no response and must not be repeated: the model is told,
 * the client is asked, or the turn fails.
 */
export const onUnknownSchema = z.enum(['tell_model', 'ask', 'fail']);
export type OnUnknown = z.infer<typeof onUnknownSchema>;

/** Where a tenant's tools are called. */
export const toolUrlSchema = z.url({ protocol: /^https?$/ }).max(2_000);

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'must be a header name');
const headerValue = z.union([
  z
    .string()
    .max(8_000)
    .regex(/^[\t\x20-\x7e]*$/, 'must be visible ASCII characters'),
  z
    // Not `secretNameSchema`: stored configurations may be older than that rule. Such a name matches no secret.
    .strictObject({ secret: z.string().min(1).max(128).meta(NAMES_SECRET) })
    .meta({ description: 'Replaced with the value of this secret at the time of the call.' }),
]);

/** Headers that a tool is called with; secrets by their names. */
export const toolHeadersSchema = z
  .record(headerName, headerValue)
  .refine((headers) => Object.keys(headers).length <= 32, 'at most 32 headers')
  .default({});

/** A tenant's tool, called over HTTP. */
export const toolConfigSchema = z.strictObject({
  description: z
    .string()
    .min(1)
    .max(10_000)
    .meta({ description: 'Tells the model what the tool does and when to use it.' }),
  input_schema: inputSchemaSchema,
  url: toolUrlSchema,
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
  headers: toolHeadersSchema,
  effect: effectSchema.default('idempotent').meta({
    description:
      'What a repeated call would do. `idempotent`: your server discards duplicates by the Idempotency-Key.',
  }),
  reconcile_url: toolUrlSchema.optional().meta({
    description: 'Requested with `?tool_call_id=` after a crash, to find out whether a call took effect.',
  }),
  on_unknown: onUnknownSchema.default('tell_model'),
  timeout_ms: z.int().min(100).max(600_000).default(30_000),
  max_output_bytes: z.int().min(256).max(1_048_576).default(65_536),
});
export type ToolConfig = z.infer<typeof toolConfigSchema>;

/** Rules for submitted configurations only: a stored one may be older than a rule. */
function checkTool(tool: ToolConfig, context: z.RefinementCtx): void {
  const issues = toolSchemaIssues(tool.input_schema);
  const schemaIssues = issues.map(({ path, message }) => ({ path: `input_schema.${path}`, message }));
  addIssues(schemaIssues, context);
  if ((tool.effect === 'reconcile') === (tool.reconcile_url !== undefined)) return;
  const message = 'is required for the effect `reconcile`, and not allowed for any other';
  addIssues([{ path: 'reconcile_url', message }], context);
}

export const createToolSchema = toolConfigSchema
  .extend({ name: toolNameSchema })
  .superRefine(checkTool)
  .meta({ id: 'CreateTool' });
export type CreateTool = z.infer<typeof createToolSchema>;

/** The complete new configuration; the name does not change. */
export const updateToolSchema = toolConfigSchema.superRefine(checkTool).meta({ id: 'UpdateTool' });

export const toolSchema = toolConfigSchema
  .extend({
    id: idSchema('tool'),
    object: z.literal('tool'),
    type: z.literal('http'),
    name: toolNameSchema,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Tool', description: 'An HTTP tool of the tenant.' });
export type Tool = z.infer<typeof toolSchema>;

/** A tool that workers' own code defines. All tenants see it, as they do builtins. */
export const codeToolSchema = z
  .object({
    id: idSchema('tool'),
    object: z.literal('tool'),
    type: z.literal('code'),
    name: toolNameSchema,
    description: z.string(),
    input_schema: inputSchemaSchema,
    output_schema: z.record(z.string(), z.unknown()).nullable(),
    effect: effectSchema,
    on_unknown: onUnknownSchema,
    timeout_ms: z.int(),
    pools: z.array(z.string()).meta({ description: 'The pools that have a live worker with the tool.' }),
    workers: z.int().meta({ description: 'Live workers that have the tool. 0: turns that need it wait.' }),
    versions: z
      .array(
        z.object({
          pool: z.string(),
          package_version: z.string().nullable(),
          hash: z
            .string()
            .meta({ description: 'Of the definition: another one is another tool to the model.' }),
          workers: z.int(),
        }),
      )
      .meta({
        description:
          'What workers announced in the last 30 days: live ones first, then the newest. The tool is shown as the first one has it.',
      }),
    created_at: z.iso.datetime().meta({ description: 'When a worker first announced a tool of this name.' }),
  })
  .meta({ id: 'CodeTool', description: "A tool that workers' own code defines." });
export type CodeTool = z.infer<typeof codeToolSchema>;

/** Of either kind, by `type`. */
export const listedToolSchema = z.discriminatedUnion('type', [toolSchema, codeToolSchema]);

/** The only response that contains the key that calls are signed with. */
export const createdToolSchema = toolSchema
  .extend({ signing_secret: z.string().meta({ example: 'whsec_...' }) })
  .meta({ id: 'CreatedTool' });

/** A registered tool as a worker receives it with a turn. */
export interface RegisteredTool {
  name: string;
  config: ToolConfig;
  /** Encrypted; decrypted when it is used. */
  signingSecret: SealedSecret;
}

/** A stored secret, encrypted with the tenant's data key. */
export interface SealedSecret {
  name: string;
  field: string;
  version: number;
  envelope: string;
}
