import { z } from 'zod';

const allowed = z.literal(true).optional();

/** What a turn may override of its agent, by field. A field that is not here, it may not. */
export const allowedOverridesSchema = z
  .strictObject({
    model: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(32)
      .optional()
      .meta({ description: 'The models that a turn may name.' }),
    max_tokens: z
      .int()
      .min(1)
      .max(128_000)
      .optional()
      .meta({ description: 'The most that a turn may have.' }),
    max_steps: z.int().min(1).max(1000).optional().meta({ description: 'The most that a turn may have.' }),
    tools: allowed.meta({
      description:
        'A turn may then have any tool of the tenant, also without the approval that the agent requires.',
    }),
    system: allowed,
    temperature: allowed,
    top_p: allowed,
    top_k: allowed,
    stop_sequences: allowed,
    thinking: allowed,
    effort: allowed,
    tool_choice: allowed,
    output_format: allowed,
    service_tier: allowed,
    batch_fallback: allowed,
    cache_ttl: allowed,
    speed: allowed,
    inference_geo: allowed,
    context_management: allowed,
    container: allowed,
    betas: allowed,
    model_metadata: allowed,
  })
  .meta({ id: 'AllowedOverrides', description: 'What a turn may override. Default: nothing.' });
export type AllowedOverrides = z.infer<typeof allowedOverridesSchema>;
