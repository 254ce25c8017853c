import { Agent, request as sendHttp, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { FuzzRequest } from './make-request.ts';

export interface FuzzResponse {
  status: number;
  type: string;
  /** Empty for a stream, which is closed at once. */
  text: string;
}

/** Ends a request that would hang. */
const LIMIT_MS = 120_000;

/** Sends exactly these bytes, without the corrections that HTTP clients make. */
export async function sendRequest(
  { url, apiKey, agent }: { url: string; apiKey: string; agent: Agent },
  { operation, path, headers, body }: FuzzRequest,
): Promise<FuzzResponse> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const length = body === null ? {} : { 'content-length': String(body.length) };
    const sent = sendHttp(url, {
      agent,
      path,
      method: operation.method.toUpperCase(),
      headers: { ...headers, ...length, authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    sent
      .once('response', resolve)
      .once('error', reject)
      .end(body ?? undefined);
  });
  const type = response.headers['content-type'] ?? '';
  const status = response.statusCode ?? 0;
  if (!type.startsWith('text/event-stream')) return { status, type, text: await text(response) };
  response.destroy();
  return { status, type, text: '' };
}
