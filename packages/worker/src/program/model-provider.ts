import { MODEL_PROVIDERS } from '@turnpike/contract';
import type { CloudSettings, ModelIds } from '@turnpike/model';
import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';

/** `claude-opus-5-5=eu.anthropic.claude-opus-5-5,…`: Bedrock's ids have colons and slashes, and no `=` or comma. */
const modelIdsSchema = z
  .string()
  .regex(/^[^=,\s]+=[^=,\s]+(\s*,\s*[^=,\s]+=[^=,\s]+)*$/, 'must be name=id, separated by commas')
  .transform((text): ModelIds => {
    const pairs = text.split(',').map((pair) => pair.trim().split('='));
    return new Map(pairs.map(([name = '', id = '']) => [name, id]));
  });

const httpUrl = z.url({ protocol: /^https?$/ });
const region = z.string().regex(/^[a-z0-9-]{2,40}$/, 'must be the name of a region');

/** The variables that say by which provider the operator's own model calls go. */
export const providerVariables = {
  MODEL_PROVIDER: z
    .enum(MODEL_PROVIDERS)
    .default('anthropic')
    .describe(
      "Where the operator's own model calls go: Anthropic, or a gateway like it; Amazon Bedrock; Google Vertex AI.",
    ),
  MODEL_IDS: modelIdsSchema
    .optional()
    .describe('For `bedrock` and `vertex`: their ids of models, as `name=id`, separated by commas.')
    .meta({ unset: 'made from the name' }),
  AWS_REGION: region.optional().describe('For `bedrock`, required: the region.').meta({ unset: 'none' }),
  AWS_BEARER_TOKEN_BEDROCK: z
    .string()
    .regex(/^[\x21-\x7e]{1,4096}$/, 'must be a Bedrock API key')
    .optional()
    .describe('For `bedrock`: a Bedrock API key.')
    .meta({ unset: 'requests are signed with the credentials that the AWS SDK finds' }),
  BEDROCK_PROFILE: z
    .string()
    .regex(/^[a-z-]{2,20}$/)
    .default('global')
    .describe('For `bedrock`: the inference profile of models that `MODEL_IDS` does not name, such as `eu`.'),
  BEDROCK_BASE_URL: httpUrl
    .optional()
    .describe('For `bedrock`: another address, such as a VPC endpoint.')
    .meta({ unset: 'the public one of the region' }),
  VERTEX_PROJECT_ID: z
    .string()
    .regex(/^[a-z0-9:.-]{1,100}$/)
    .optional()
    .describe('For `vertex`, required: the project on Google Cloud.')
    .meta({ unset: 'none' }),
  VERTEX_REGION: region.default('global').describe('For `vertex`: the region, or `global`, `us` or `eu`.'),
  VERTEX_BASE_URL: httpUrl
    .optional()
    .describe('For `vertex`: another address, with its `/v1`.')
    .meta({ unset: 'the public one of the region' }),
};

type ProviderVariables = z.output<z.ZodObject<typeof providerVariables>>;

/** Undefined for Anthropic. Adds an issue where the provider needs a variable that is not set. */
export function readCloud(variables: ProviderVariables, context: z.RefinementCtx): CloudSettings | undefined {
  const { MODEL_PROVIDER: provider, MODEL_IDS: modelIds = new Map<string, string>() } = variables;
  const missing = (name: keyof ProviderVariables): undefined => {
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `is required with MODEL_PROVIDER=${provider}`,
    });
    return undefined;
  };
  if (provider === 'bedrock') {
    const { AWS_REGION: awsRegion, BEDROCK_BASE_URL: baseUrl, AWS_BEARER_TOKEN_BEDROCK: apiKey } = variables;
    if (awsRegion === undefined) return missing('AWS_REGION');
    return {
      provider,
      region: awsRegion,
      profile: variables.BEDROCK_PROFILE,
      modelIds,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(apiKey === undefined ? {} : { apiKey: new Secret(apiKey) }),
    };
  }
  if (provider === 'vertex') {
    const { VERTEX_PROJECT_ID: projectId, VERTEX_REGION: vertexRegion, VERTEX_BASE_URL: baseUrl } = variables;
    if (projectId === undefined) return missing('VERTEX_PROJECT_ID');
    return {
      provider,
      projectId,
      region: vertexRegion,
      modelIds,
      ...(baseUrl === undefined ? {} : { baseUrl }),
    };
  }
  return undefined;
}
