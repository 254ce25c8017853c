import type { Middleware } from '@anthropic-ai/sdk/client';
import { TerminalError } from '@turnpike/contract';
import type { UpstreamFetch } from '@turnpike/egress';
import { API_VERSION, type BuiltRequest } from '../build-request.ts';
import { onlyExpected, requestHeaders, sdkOptions } from '../connect-model-api.ts';
import type { ModelLimits } from '../limits.ts';
import type { ModelApi, RequestKey } from '../model-api.ts';
import { bedrock } from './bedrock.ts';
import type { Cloud } from './cloud.ts';
import type { CloudSettings } from './cloud-settings.ts';
import { vertex } from './vertex.ts';

/** The model API of a cloud. Its SDK is loaded with the first call, so that a worker without one starts no slower. */
export function connectCloud(
  settings: CloudSettings,
  fetch: UpstreamFetch['fetch'],
  limits: Pick<ModelLimits, 'totalTimeoutMs'>,
): ModelApi {
  const cloud = settings.provider === 'bedrock' ? bedrock(settings) : vertex(settings);
  // Before the request is signed: what is signed must arrive.
  const dropUnexpected: Middleware = (request, next) =>
    next({ ...request, headers: new Headers(onlyExpected(request.headers)) });
  const options = { ...sdkOptions(limits), baseURL: cloud.baseUrl, fetch, middleware: [dropUnexpected] };
  let opened: ReturnType<Cloud['open']> | undefined;
  return {
    origin: new URL(cloud.baseUrl).origin,
    async connect() {
      const opening = (opened ??= cloud.open(options));
      try {
        const { client, refresh } = await opening;
        // From their cache, as long as they are fresh.
        await refresh();
        return client;
      } catch (error) {
        if (opened === opening) opened = undefined;
        throw error;
      }
    },
    prepare: (request, key) => prepare(cloud, request, key),
    // The SDK of Bedrock has no such call, and on Vertex AI it is a model of its own, with a quota of its own.
    countsTokens: false,
    takesBatches: false,
    // Their SDKs move fields within the body, and AWS signs it as a whole.
    takesStreams: false,
    streamOverhead: cloud.streamOverhead,
    explain: (error) => cloud.explain(error),
  };
}

function prepare(
  cloud: Cloud,
  { body, apiVersion, betas }: BuiltRequest,
  key: RequestKey,
): ReturnType<ModelApi['prepare']> {
  refuseMissing(cloud, body);
  const model = cloud.modelId(body.model);
  const isCurrent = apiVersion === API_VERSION && !cloud.isOlder(model);
  const sent = { apiVersion: isCurrent ? apiVersion : cloud.olderVersion, betas };
  return { body: { ...body, model }, headers: requestHeaders(sent, key) };
}

/** No cloud has these. The error of a cloud would name neither the field nor the tool as the agent has it. */
const MISSING_FIELDS = ['speed', 'container', 'service_tier', 'inference_geo'] as const;

function refuseMissing({ name, missingTools }: Cloud, body: BuiltRequest['body']): void {
  for (const field of MISSING_FIELDS) if (body[field] !== undefined) throw refused(name, `no \`${field}\``);
  for (const tool of body.tools ?? []) {
    if (!('type' in tool && 'name' in tool)) continue;
    if (missingTools.includes(tool.name)) throw refused(name, `no tool \`${tool.name}\``);
  }
}

function refused(cloud: string, what: string): TerminalError {
  return new TerminalError(
    'model_rejected_request',
    `${cloud}, which this service calls models on, has ${what}: remove it from the agent.`,
  );
}
