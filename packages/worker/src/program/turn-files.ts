import { newId, ProblemError, type File } from '@turnpike/contract';
import type { Files } from '@turnpike/files';
import type { ModelFiles } from '@turnpike/model';
import { readFile, readLimits, type Database } from '@turnpike/store';
import type { OutputFiles } from '@turnpike/tools';

/** The files of conversations: looked up anew for each request, since they may be deleted at any time. */
export function filesForModel({ pool }: Database, files: Files): ModelFiles {
  return {
    async open(tenantId, fileId) {
      const stored = await readFile(pool, tenantId, fileId);
      if (stored === null || !isReadable(stored.file)) return null;
      const whole = { start: 0, end: stored.file.bytes };
      return { read: (signal) => files.read(stored, whole, signal) };
    },
  };
}

/** What a tool of the tenant put out is shown to its model also before a scan has accepted it for others. */
function isReadable({ status, turn_id: turnId }: File): boolean {
  return status === 'ready' || (status === 'pending' && turnId !== null);
}

/** The files that outputs of tools become: erased with their turn, and counted as the tenant's. */
export function filesForOutputs({ pool }: Database, files: Files): OutputFiles {
  return {
    async add({ tenantId, turnId, sessionId, signal }, { filename, mediaType, content }) {
      const limits = await readLimits(pool, tenantId);
      if (limits === null) throw new ProblemError('not_found', 'The tenant was deleted.');
      const request = {
        id: newId('file'),
        tenantId,
        sessionId,
        turnId,
        shared: false,
        filename,
        mediaType,
        bytes: content.length,
        metadata: {},
        keptSeconds: null,
      };
      return files.add(request, limits, content, signal);
    },
  };
}
