import { z } from 'zod';

const MAX = 100_000;
/** Above what sixteen entries of maximum length need, in any script. */
const MAX_METADATA_BYTES = 64 * 1024;

const counted = (max: number, description: string) => z.int().min(1).max(max).meta({ description });

/** The limits of a tenant. `DEFAULT_LIMITS` applies where the operator set nothing. */
/** Days after which a tenant's rows of a kind are deleted. */
const keptDays = (what: string) =>
  z
    .int()
    .min(0)
    .max(36_500)
    .nullable()
    .meta({ description: `Days after which ${what} are deleted; 0: never; null: as the service is set.` });

export const limitsSchema = z.object({
  requests_per_second: z
    .int()
    .min(1)
    .max(MAX)
    .meta({ description: 'API requests per second over all API processes, with a burst of one second.' }),
  max_queued_turns: z
    .int()
    .min(1)
    .max(MAX)
    .meta({ description: 'Turns that wait, including scheduled ones.' }),
  max_running_turns: z.int().min(1).max(MAX).meta({ description: 'Turns that run at the same time.' }),
  max_batch_lines: z.int().min(1).max(MAX).meta({ description: 'Lines of one batch.' }),
  max_batch_bytes: counted(4 * 1024 ** 3, 'Size of the lines of one batch.'),
  max_schedules: counted(100_000, 'Schedules that have not ended.'),
  max_open_batches: counted(10_000, 'Batches that have not ended.'),
  max_open_batch_turns: z.int().min(1).max(MAX).meta({
    description: 'Turns of all batches that are open at the same time. The other lines wait.',
  }),
  max_child_turns: counted(
    MAX,
    'Child turns of one turn, with those that they start themselves. A further call of an agent is an error for the model.',
  ),
  max_child_depth: z.int().min(1).max(20).meta({
    description: 'How deep turns may start child turns; 1: child turns start none.',
  }),
  max_sessions: z.int().min(1).max(10_000_000).meta({ description: 'Stored sessions.' }),
  session_retention_days: keptDays('sessions whose turns have all ended'),
  turn_retention_days: keptDays('turns that ended'),
  batch_retention_days: keptDays('batches that ended'),
  audit_retention_days: keptDays('entries of the audit log'),
  max_body_bytes: z
    .int()
    .min(1_024)
    .max(1024 * 1024 * 1024)
    .meta({ description: 'Size of a request body. The service has a limit as well.' }),
  tokens_per_minute: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .nullable()
    .meta({ description: 'Tokens per minute over all models; null: no limit.' }),
  max_agents: counted(1_000_000, 'Agents that are not deleted.'),
  max_agent_versions: counted(100_000, 'Stored versions of one agent.'),
  max_tools: counted(100_000, 'HTTP tools.'),
  max_mcp_servers: counted(10_000, 'MCP servers.'),
  max_secrets: counted(100_000, 'Secrets.'),
  max_api_keys: counted(100_000, 'Active API keys.'),
  max_webhook_endpoints: counted(1_000, 'Webhook endpoints. Every event is matched against each of them.'),
  max_memory_files: counted(100_000, 'Files of the memory tool, in all namespaces.'),
  max_memory_bytes: counted(
    100 * 1024 ** 3,
    'Total size of the files of the memory tool, in bytes of UTF-8.',
  ),
  max_files: counted(1_000_000, 'Files, also those that tools made and those whose upload is not complete.'),
  max_file_bytes: counted(5 * 1024 ** 3, 'Size of one file.'),
  max_files_bytes: counted(100 * 1024 ** 4, 'Size of all files together.'),
  max_metadata_bytes: counted(MAX_METADATA_BYTES, 'Size of the metadata of one object, in bytes of JSON.'),
  weight: z
    .number()
    .min(0.1)
    .max(10)
    .meta({ description: 'Share of the workers while tenants compete for them.' }),
});
export type Limits = z.infer<typeof limitsSchema>;

export const DEFAULT_LIMITS: Limits = {
  requests_per_second: 1_000,
  max_queued_turns: 10_000,
  max_running_turns: 1_000,
  max_batch_lines: 100_000,
  // The limit of the Message Batches API.
  max_batch_bytes: 256 * 1024 * 1024,
  max_schedules: 1_000,
  max_open_batches: 100,
  max_open_batch_turns: 5_000,
  max_child_turns: 100,
  max_child_depth: 5,
  max_sessions: 1_000_000,
  session_retention_days: null,
  turn_retention_days: null,
  batch_retention_days: null,
  audit_retention_days: null,
  // The limit of the Messages API.
  max_body_bytes: 32 * 1024 * 1024,
  tokens_per_minute: null,
  max_agents: 10_000,
  max_agent_versions: 1_000,
  max_tools: 1_000,
  max_mcp_servers: 100,
  max_secrets: 1_000,
  max_api_keys: 1_000,
  max_webhook_endpoints: 50,
  max_memory_files: 10_000,
  max_memory_bytes: 1024 ** 3,
  max_files: 10_000,
  max_file_bytes: 100 * 1024 ** 2,
  max_files_bytes: 10 * 1024 ** 3,
  max_metadata_bytes: MAX_METADATA_BYTES,
  weight: 1,
};

/** The limits that an operator set. Unknown fields, written by a newer version, are ignored. */
export const limitOverridesSchema = limitsSchema.partial();
export type LimitOverrides = z.infer<typeof limitOverridesSchema>;

export const tenantLimitsSchema = limitsSchema
  .extend({ object: z.literal('limits') })
  .meta({ id: 'Limits', description: 'The limits of the tenant.' });
