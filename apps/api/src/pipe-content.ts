import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import { whenGone } from './when-gone.ts';

/**
 * Sends content at the client's pace: `open` begins to read it. The response to HEAD has none, so none is read. A client
 * that disconnects ends it, which is no error of ours.
 */
export async function pipeContent(response: Response, open: (gone: AbortSignal) => Readable): Promise<void> {
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }
  const gone = whenGone(response);
  try {
    await pipeline(open(gone), response);
  } catch (error) {
    if (!gone.aborted) throw error;
  }
}
