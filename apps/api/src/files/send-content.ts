import { Readable } from 'node:stream';
import { create as contentDisposition } from 'content-disposition';
import { isTextMediaType, ProblemError } from '@turnpike/contract';
import type { Files } from '@turnpike/files';
import type { StoredFile } from '@turnpike/store';
import { pipeContent } from '../pipe-content.ts';
import type { RouteResult } from '../route.ts';
import { parseRange } from './parse-range.ts';

/**
 * The content of a file, or a part of it, as a download: a browser shows nothing of it as a page of this origin.
 * Throws `ProblemError`: `file_not_ready`, `file_refused`, `range_not_satisfiable`.
 */
export function sendContent(
  stored: StoredFile,
  { range: asked, ifRange }: { range: string | undefined; ifRange: string | undefined },
  files: Files,
  reportError: (error: unknown) => void,
): RouteResult {
  const { file } = stored;
  if (file.status === 'refused') throw new ProblemError('file_refused', `The scan refused ${file.id}.`);
  if (file.status !== 'ready') throw new ProblemError('file_not_ready', `${file.id} is ${file.status}.`);
  const tag = `"${file.sha256}"`;
  const part = parseRange(ifRange === undefined || ifRange === tag ? asked : undefined, file.bytes);
  const range = part ?? { start: 0, end: file.bytes };
  return {
    status: part === null ? 200 : 206,
    stream(response) {
      response.statusCode = part === null ? 200 : 206;
      response.setHeader('Content-Type', contentType(file.media_type));
      response.setHeader('Content-Length', range.end - range.start);
      response.setHeader('Accept-Ranges', 'bytes');
      response.setHeader('ETag', tag);
      response.setHeader('Content-Disposition', contentDisposition(file.filename));
      response.setHeader('Content-Security-Policy', "default-src 'none'; sandbox; frame-ancestors 'none'");
      if (part !== null)
        response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${file.bytes}`);
      void pipeContent(response, (gone) =>
        Readable.from(files.read(stored, range, gone), { objectMode: false }),
      ).catch(reportError);
    },
  };
}

function contentType(mediaType: string): string {
  return isTextMediaType(mediaType) ? `${mediaType}; charset=utf-8` : mediaType;
}
