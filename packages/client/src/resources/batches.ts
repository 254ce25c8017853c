import type { Batch, BatchLine, BatchResult, createBatchSchema } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery, type TimeQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input } from '../wire/shapes.ts';
import type { FileContent } from './files.ts';

export type { Batch, BatchLine, BatchResult };

/** A batch whose lines are in a file, or in memory as JSONL. */
export interface NewBatchFile extends Partial<Omit<Input<typeof createBatchSchema>, 'items'>> {
  /** JSONL, a `BatchLine` on each line: `openAsBlob(path)` of Node is read while it is sent. */
  lines: FileContent;
}

export interface BatchQuery extends PageQuery, TimeQuery {
  status?: Batch['status'] | readonly Batch['status'][] | undefined;
}

/** A large file takes long to send. */
const UPLOAD_MS = 60 * 60 * 1000;

/** Many turns that are submitted together. */
export class Batches {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Submits up to 100,000 turns. Throws `invalid_request`, whose `errors` name the lines, if one of them is not valid:
   * none is accepted then.
   */
  create(batch: Input<typeof createBatchSchema> | NewBatchFile, options?: WriteOptions): Promise<Batch> {
    const limits = { timeoutMs: UPLOAD_MS, ...options };
    if (!('lines' in batch)) {
      return this.#transport.call({ method: 'POST', path: '/v1/batches', body: batch }, limits);
    }
    const { lines, ...fields } = batch;
    const form = new FormData();
    for (const [name, value] of Object.entries(fields))
      if (value !== undefined) form.append(name, JSON.stringify(value));
    const type = 'application/jsonl';
    form.append('file', lines instanceof Blob ? lines : new Blob([lines], { type }), 'lines.jsonl');
    return this.#transport.call({ method: 'POST', path: '/v1/batches', form }, limits);
  }

  get(id: string, options?: CallOptions): Promise<Batch> {
    return this.#transport.call({ method: 'GET', path: path`/v1/batches/${id}` }, options);
  }

  list(query: BatchQuery = {}, options: CallOptions = {}): Pages<Batch> {
    return new Pages(this.#transport, '/v1/batches', { ...query }, options);
  }

  /** Turns that are open go on; no further line becomes one. */
  pause(id: string, options?: WriteOptions): Promise<Batch> {
    return this.#transport.call({ method: 'POST', path: path`/v1/batches/${id}/pause` }, options);
  }

  resume(id: string, options?: WriteOptions): Promise<Batch> {
    return this.#transport.call({ method: 'POST', path: path`/v1/batches/${id}/resume` }, options);
  }

  /** `cancelling` until its open turns have ended. */
  cancel(id: string, options?: WriteOptions): Promise<Batch> {
    return this.#transport.call({ method: 'POST', path: path`/v1/batches/${id}/cancel` }, options);
  }

  /**
   * What became of the lines, in their order, from the one after `after`: up to the first that has not ended. They are
   * read at your pace.
   */
  async *results(
    id: string,
    { after = 0, limit, ...options }: CallOptions & { after?: number; limit?: number } = {},
  ): AsyncGenerator<BatchResult, void, undefined> {
    const query = { after, ...(limit === undefined ? {} : { limit }) };
    const stream = await this.#transport.stream(
      { method: 'GET', path: path`/v1/batches/${id}/results`, query },
      {},
      options,
    );
    for await (const line of linesOf(stream)) yield JSON.parse(line) as BatchResult;
  }

  /** Its turns and sessions stay. Throws `batch_not_ended` while it has open turns. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/batches/${id}` }, options);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield line;
      if (done) return;
    }
  } finally {
    await reader.cancel();
  }
}
