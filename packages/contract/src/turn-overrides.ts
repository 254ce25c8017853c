import { z } from 'zod';
import type { AllowedOverrides } from './allowed-overrides.ts';
import { changeAgentConfig, configChangeSchema, type AgentConfig } from './agents.ts';
import type { ValidationIssue } from './errors.ts';

const { shape } = configChangeSchema;

/** What one turn has instead of its agent's configuration. Omitted fields are the agent's; null is the default. */
export const turnOverridesSchema = z
  .strictObject({
    model: shape.model,
    // No tools are an empty list: the store reads it without the agent's defaults.
    tools: shape.tools.unwrap().unwrap().optional(),
    max_tokens: shape.max_tokens,
    max_steps: shape.max_steps,
    system: shape.system,
    temperature: shape.temperature,
    top_p: shape.top_p,
    top_k: shape.top_k,
    stop_sequences: shape.stop_sequences,
    thinking: shape.thinking,
    effort: shape.effort,
    tool_choice: shape.tool_choice,
    output_format: shape.output_format,
    service_tier: shape.service_tier,
    batch_fallback: shape.batch_fallback,
    cache_ttl: shape.cache_ttl,
    speed: shape.speed,
    inference_geo: shape.inference_geo,
    context_management: shape.context_management,
    container: shape.container,
    betas: shape.betas,
    model_metadata: shape.model_metadata,
  } satisfies Record<keyof AllowedOverrides, z.ZodType>)
  .meta({
    id: 'TurnOverrides',
    description:
      "What this turn has instead of its agent's configuration. Omitted fields are the agent's; `null` is the default.",
  });
export type TurnOverrides = z.infer<typeof turnOverridesSchema>;

/** The fields that a turn overrides; none where it has no overrides. */
export function overriddenFields(overrides: TurnOverrides | null | undefined): string[] {
  return Object.entries(overrides ?? {}).flatMap(([field, value]) => (value === undefined ? [] : [field]));
}

/** The configuration that a turn runs with: that of its agent's version, with its overrides. */
export function overrideAgent(agent: AgentConfig, overrides: TurnOverrides | null): AgentConfig {
  return overrides === null ? agent : changeAgentConfig(agent, overrides);
}

/** What the agent does not allow of these overrides. `overridden`: the configuration that they result in. */
export function forbiddenOverrides(
  { allowed_overrides: allowed = {} }: AgentConfig,
  overrides: TurnOverrides,
  overridden: AgentConfig,
): ValidationIssue[] {
  return overriddenFields(overrides).flatMap((field): ValidationIssue[] => {
    const path = `overrides.${field}`;
    const limit = allowed[field as keyof AllowedOverrides];
    if (limit === undefined)
      return [{ path, message: `the agent does not allow a turn to override ${field}` }];
    if (field === 'model' && !allowed.model?.includes(overridden.model)) {
      return [{ path, message: `the agent allows ${allowed.model?.join(', ')}` }];
    }
    if (typeof limit !== 'number') return [];
    const value = field === 'max_steps' ? overridden.max_steps : overridden.max_tokens;
    return value <= limit ? [] : [{ path, message: `the agent allows at most ${limit}` }];
  });
}
