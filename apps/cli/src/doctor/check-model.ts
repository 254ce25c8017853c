import { createUpstreamFetch } from '@turnpike/egress';
import { PUBLIC_MODEL_API } from '../config.ts';
import { ok, warning, type Finding } from './finding.ts';

const LIMIT_MS = 5_000;
const MOST_BYTES = 2 ** 20;

/** Whether the Messages API can be reached from here. Sends no key, so that any response is a good one. */
export async function checkModel(baseUrl: string = PUBLIC_MODEL_API): Promise<Finding[]> {
  const upstream = createUpstreamFetch({
    idleTimeoutMs: LIMIT_MS,
    connectTimeoutMs: LIMIT_MS,
    maxResponseBytes: MOST_BYTES,
  });
  const { host } = new URL(baseUrl);
  try {
    const response = await upstream.fetch(new URL('/v1/models', baseUrl), {
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    await response.text();
    return response.status < 500
      ? [ok('model_api', `${host} responds.`)]
      : [
          warning(
            'model_api',
            `${host} responds with ${response.status}.`,
            'Ask whoever runs it: turns wait meanwhile.',
          ),
        ];
  } finally {
    await upstream.close();
  }
}
