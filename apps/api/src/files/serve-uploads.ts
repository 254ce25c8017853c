import { idSchema, ProblemError } from '@turnpike/contract';
import { noFile, type Files } from '@turnpike/files';
import express, { type RequestHandler, type Router } from 'express';
import { z } from 'zod';
import { addLogFields } from '../log-requests.ts';
import { whenGone } from '../when-gone.ts';

const PATH = '/v1/file_uploads/:file_id/:token';
const paramsSchema = z.object({ file_id: idSchema('file'), token: z.string().regex(/^[\w-]{43}$/) });

/**
 * Takes the bytes of a file at the URL that its creation returned, where this service stores files itself. The URL is
 * all that a sender needs, so it needs no API key; it works once.
 */
export function serveUploads(files: Files): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const receive: RequestHandler = async (request, response) => {
    addLogFields(response, { route: PATH, operation: 'uploadFile' });
    const params = paramsSchema.safeParse(request.params);
    if (!params.success) throw new ProblemError('not_found', 'There is nothing at this path.');
    const { file_id: id, token } = params.data;
    const stored = await files.claimUpload(id, token);
    if (stored === null) throw noFile(id);
    addLogFields(response, { ids: { tenant_id: stored.tenantId } });
    try {
      // The connection stays for the response, also where not all is read.
      const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      await files.receiveUpload(stored, pieces, whenGone(response));
    } catch (error) {
      await files.abandon(id);
      request.resume();
      throw error;
    }
    response.status(200).end();
  };
  router.put(PATH, [receive]);
  return router;
}
