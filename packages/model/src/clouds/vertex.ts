import { CREDENTIALS_TIMEOUT_MS, type VertexSettings } from './cloud-settings.ts';
import type { Cloud } from './cloud.ts';

/** A release of a model, such as `claude-sonnet-4-5-20250929`: Vertex AI writes it with an `@`. */
const DATED = /-(\d{8})$/;
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** Claude on Google Vertex AI, by `streamRawPredict`. */
export function vertex({ projectId, region, baseUrl, modelIds }: VertexSettings): Cloud {
  return {
    name: 'Google Vertex AI',
    baseUrl: baseUrl ?? publicAddress(region),
    async open(options) {
      const { AnthropicVertex } = await import('@anthropic-ai/vertex-sdk');
      const { GoogleAuth } = await import('google-auth-library');
      const auth = new GoogleAuth({
        projectId,
        scopes: SCOPE,
        clientOptions: { transporterOptions: { timeout: CREDENTIALS_TIMEOUT_MS } },
      });
      const authClient = await auth.getClient();
      const client = new AnthropicVertex({ ...options, projectId, region, authClient });
      return { client, refresh: () => authClient.getRequestHeaders() };
    },
    modelId: (model) => modelIds.get(model) ?? model.replace(DATED, '@$1'),
    olderVersion: 'vertex-2023-10-16',
    isOlder: (id) => /@\d{8}$/.test(id),
    missingTools: ['web_fetch', 'code_execution'],
    streamOverhead: 1,
    explain: (error) => error,
  };
}

function publicAddress(region: string): string {
  if (region === 'global') return 'https://aiplatform.googleapis.com/v1';
  if (region === 'us' || region === 'eu') return `https://aiplatform.${region}.rep.googleapis.com/v1`;
  return `https://${region}-aiplatform.googleapis.com/v1`;
}
