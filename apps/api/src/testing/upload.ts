import type { CreatedFile } from '@turnpike/contract';
import type { Client } from './test-api.ts';

export interface Upload {
  filename?: string;
  mediaType?: string;
  content: Buffer | string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

/** Uploads a file as a form. */
export async function upload(
  url: string,
  client: Pick<Client, 'apiKey'>,
  { filename = 'a.txt', mediaType = 'text/plain', content, fields = {}, headers = {} }: Upload,
): Promise<{ status: number; headers: Headers; body: CreatedFile & { code?: string } }> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  const bytes = typeof content === 'string' ? content : new Uint8Array(content);
  form.append('file', new Blob([bytes], { type: mediaType }), filename);
  const response = await fetch(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.apiKey}`, ...headers },
    body: form,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as CreatedFile };
}
