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

  /** Throws where the status is not 2xx. */
  async request(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Record<string, unknown>> {
    const response = await this.#client.request({
      method,
      path,
      headers: {
        ...this.#headers,
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    // Clients parse the response too, so the figures include it.
    if (response.statusCode === 503) return this.request(method, path, body, headers);
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }
}

/** Opens `count` connections for `work`, and closes them after it. */
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
