import { z } from 'zod';

const MOST = 100_000;
/** Sixteen entries as long as they may be, in whatever script, have less. */
const MOST_METADATA_BYTES = 64 * 1024;

const counted = (most: number, description: string) => z.int().min(1).max(most).meta({ description });

/** What a tenant may use. Whatever an operator did not set is as `DEFAULT_LIMITS` has it. */
export const limitsSchema = z.object({
  requests_per_second: z
    .int()
    .min(1)
    .max(MOST)
    .meta({ description: 'Of the API, over all of its processes; a second of it can be saved up.' }),
  max_queued_turns: z.int().min(1).max(MOST).meta({ description: 'Turns that wait, scheduled ones too.' }),
  max_running_turns: z.int().min(1).max(MOST).meta({ description: 'Turns that run at once.' }),
  max_sessions: z.int().min(1).max(10_000_000).meta({ description: 'Sessions that are kept.' }),
  max_body_bytes: z
    .int()
    .min(1_024)
    .max(1024 * 1024 * 1024)
    .meta({ description: 'The size of a request; the service has a bound of its own.' }),
  tokens_per_minute: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .nullable()
    .meta({ description: 'Of all models together; null: no limit.' }),
  max_agents: counted(1_000_000, 'Agents that are not deleted.'),
  max_agent_versions: counted(100_000, 'Versions that are kept of one agent.'),
  max_tools: counted(100_000, 'HTTP tools.'),
  max_secrets: counted(100_000, 'Secrets.'),
  max_api_keys: counted(100_000, 'API keys that work.'),
  max_webhook_endpoints: counted(1_000, 'Webhook endpoints; every event looks at each.'),
  max_memory_files: counted(100_000, 'Files of the memory tool, in all namespaces.'),
  max_memory_bytes: counted(100 * 1024 ** 3, 'What those files hold, in bytes of UTF-8.'),
  max_metadata_bytes: counted(MOST_METADATA_BYTES, 'The metadata of one thing, in bytes of JSON.'),
  weight: z
    .number()
    .min(0.1)
    .max(10)
    .meta({ description: 'The share of the workers while several tenants have more than they can take.' }),
});
export type Limits = z.infer<typeof limitsSchema>;

export const DEFAULT_LIMITS: Limits = {
  requests_per_second: 1_000,
  max_queued_turns: 10_000,
  max_running_turns: 1_000,
  max_sessions: 1_000_000,
  // As much as the Messages API takes.
  max_body_bytes: 32 * 1024 * 1024,
  tokens_per_minute: null,
  max_agents: 10_000,
  max_agent_versions: 1_000,
  max_tools: 1_000,
  max_secrets: 1_000,
  max_api_keys: 1_000,
  max_webhook_endpoints: 50,
  max_memory_files: 10_000,
  max_memory_bytes: 1024 ** 3,
  max_metadata_bytes: MOST_METADATA_BYTES,
  weight: 1,
};

/** What an operator set. A field that is not known, since a newer version set it, is passed over. */
export const limitOverridesSchema = limitsSchema.partial();
export type LimitOverrides = z.infer<typeof limitOverridesSchema>;

export const tenantLimitsSchema = limitsSchema
  .extend({ object: z.literal('limits') })
  .meta({ id: 'Limits', description: 'What the tenant may use.' });
