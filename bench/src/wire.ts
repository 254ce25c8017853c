import { Client } from 'undici';
import { z } from 'zod';

/** One client's keep-alive connection. */
export class Wire {
  readonly #client: Client;
  readonly #headers: Record<string, string>;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#client = new Client(url, { headersTimeout: 120_000, bodyTimeout: 120_000 });
    this.#headers = headers;
  }

  /** Throws where the answer is none of 2xx. */
  async request(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Record<string, unknown>> {
    const answer = await this.#client.request({
      method,
      path,
      headers: {
        ...this.#headers,
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    // As every client does it; the time that it takes is in the figures.
    if (answer.statusCode === 503) return this.request(method, path, body, headers);
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }
}

/** So many connections, closed when `work` is over. */
export async function withWires<Result>(
  count: number,
  make: () => Wire,
  work: (wires: readonly Wire[]) => Promise<Result>,
): Promise<Result> {
  const wires = Array.from({ length: count }, make);
  try {
    return await work(wires);
  } finally {
    await Promise.all(wires.map((wire) => wire.close()));
  }
}
