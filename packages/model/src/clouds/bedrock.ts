import { streamCut, streamMalformed } from '../stream-broken.ts';
import { CREDENTIALS_TIMEOUT_MS, type BedrockSettings } from './cloud-settings.ts';
import type { Cloud } from './cloud.ts';

/** A release of a model, such as `claude-sonnet-4-5-20250929`: Bedrock's id of it ends with a version of its own. */
const DATED = /-\d{8}$/;
/** An id that ends with such a version, such as `anthropic.claude-opus-4-6-v1` or `…-v1:0`. */
const VERSIONED = /-v\d+(:\d+)?$/;

/** Claude on Amazon Bedrock, by `InvokeModelWithResponseStream`. */
export function bedrock({ region, profile, baseUrl, apiKey, modelIds }: BedrockSettings): Cloud {
  return {
    name: 'Amazon Bedrock',
    baseUrl: baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`,
    async open(options) {
      const { AnthropicBedrock } = await import('@anthropic-ai/bedrock-sdk');
      const shared = { ...options, awsRegion: region };
      if (apiKey !== undefined) {
        const client = new AnthropicBedrock({ ...shared, apiKey: apiKey.reveal() });
        return { client, refresh: async () => undefined };
      }
      const credentials = await findCredentials();
      // The SDK's own chain would be asked anew for each request, and its credentials be fetched each time.
      const client = new AnthropicBedrock({
        ...shared,
        apiKey: null,
        providerChainResolver: async () => credentials,
      });
      return { client, refresh: credentials };
    },
    modelId(model) {
      const known = modelIds.get(model);
      if (known !== undefined) return known;
      if (model.includes('anthropic.') || model.startsWith('arn:')) return model;
      return `${profile}.anthropic.${model}${DATED.test(model) ? '-v1:0' : ''}`;
    },
    olderVersion: 'bedrock-2023-05-31',
    isOlder: (id) => VERSIONED.test(id),
    missingTools: ['web_search', 'web_fetch', 'code_execution'],
    // Each event is base64 in JSON in a frame with headers, a checksum and padding.
    streamOverhead: 2,
    explain(error) {
      // The decoder of frames throws errors without a name or a code.
      if (!(error instanceof Error) || Object.getPrototypeOf(error) !== Error.prototype) return error;
      if (error.name !== 'Error' || 'code' in error) return error;
      return error.message.startsWith('Truncated') ? streamCut() : streamMalformed('a frame cannot be read');
    },
  };
}

/** As the SDK itself looks for them: the environment first, then profiles, web identities, containers and instances. */
async function findCredentials() {
  const { createCredentialChain, fromEnv, fromNodeProviderChain } =
    await import('@aws-sdk/credential-providers');
  const requestHandler = {
    connectionTimeout: CREDENTIALS_TIMEOUT_MS,
    requestTimeout: CREDENTIALS_TIMEOUT_MS,
  };
  return createCredentialChain(
    fromEnv(),
    fromNodeProviderChain({ timeout: CREDENTIALS_TIMEOUT_MS, clientConfig: { requestHandler } }),
  );
}
