import { Readable } from 'node:stream';
import { storableText, type File } from '@turnpike/contract';
import { createUpstreamFetch } from '@turnpike/egress';
import { z } from 'zod';

export interface ScanSettings {
  /** The operator's hook. */
  url: string;
  /** For one file, its bytes and the answer. Milliseconds. */
  timeoutMs: number;
}

/** Asks whether a file may be used. */
export interface FileScan {
  readonly timeoutMs: number;
  /** Null where it may; else why not. Throws where there is no answer: it is to be asked again. */
  ask(file: File, content: AsyncIterable<Buffer>): Promise<string | null>;
  close(): Promise<void>;
}

const MOST_ANSWER_BYTES = 64 * 1024;
const MOST_REASON = 500;

const answerSchema = z.object({ accepted: z.boolean(), reason: z.string().optional() });

/**
 * POSTs the content of each file to the operator's URL, with its id, name and type in headers. The hook responds with
 * `{ "accepted": true }`, or `{ "accepted": false, "reason": "..." }`.
 */
export function createFileScan({ url, timeoutMs }: ScanSettings): FileScan {
  const upstream = createUpstreamFetch({ idleTimeoutMs: timeoutMs, maxResponseBytes: MOST_ANSWER_BYTES });
  return {
    timeoutMs,
    async ask(file, content) {
      const response = await upstream.fetch(url, {
        method: 'POST',
        headers: {
          'content-type': file.media_type,
          'content-length': String(file.bytes),
          'x-file-id': file.id,
          'x-filename': encodeURIComponent(file.filename),
        },
        body: Readable.toWeb(Readable.from(content, { objectMode: false })) as ReadableStream,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`The scan of files responded with ${response.status}.`);
      const { accepted, reason = 'The scan refused it.' } = answerSchema.parse(JSON.parse(text));
      return accepted ? null : storableText(reason.slice(0, MOST_REASON));
    },
    close: () => upstream.close(),
  };
}
