import type { Message } from '@turnpike/contract';
import type { MessagesBody } from './build-request.ts';
import { heldCharacters } from './conversation/media.ts';
import { composeBody, wholeBody } from './compose-body.ts';
import type { ModelKey } from './key-ring.ts';
import type { ModelFiles } from './model-files.ts';

export interface PostOptions {
  tenantId: string;
  files: ModelFiles;
  signal: AbortSignal;
  /** Called once the files are there, before anything is sent. */
  beforeSend?(): void;
  stream?: boolean;
  /** As `meter` of `MeteredInit`. */
  meter?(piece: Uint8Array): Promise<void> | null;
}

/** The bytes of images and documents that are in memory while such a body is sent, for `RequestMemory`. */
export function bytesInMemory(key: ModelKey, { messages }: Pick<MessagesBody, 'messages'>): number {
  return heldCharacters(messages as unknown as Message[], { files: !key.api.takesStreams });
}

/**
 * Sends a body, with the content of its files, and returns the response before its own body is read. Throws what the SDK
 * and `composeBody` throw; a file that cannot be read is no fault of the API, also where that broke the request.
 */
export async function postBody(
  key: ModelKey,
  path: string,
  sent: { body: Pick<MessagesBody, 'messages'>; headers: Record<string, string | null> },
  { tenantId, files, signal, beforeSend, stream = false, meter }: PostOptions,
): Promise<Response> {
  const body = await composeBody(sent.body, tenantId, files, signal);
  const content = key.api.takesStreams ? body.content : await wholeBody(body);
  beforeSend?.();
  const length = typeof content === 'string' ? {} : { 'content-length': String(body.length) };
  // A redirect is an answer for every `fetch` that is handed in.
  const fetchOptions = { redirect: 'manual' as const, ...(meter === undefined ? {} : { meter }) };
  // Not `messages.create`: that one writes to the console for every call of an ageing model.
  return key.client
    .post(path, {
      stream,
      fetchOptions,
      body: content,
      headers: { ...sent.headers, 'content-type': 'application/json', ...length },
      signal,
    })
    .asResponse()
    .catch((error: unknown) => {
      throw body.failure() ?? error;
    });
}
