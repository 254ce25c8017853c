import { fileFormSchema, newId, uploadedPartSchema, type CreateFile, type Limits } from '@turnpike/contract';
import { fileTooLarge, type Files } from '@turnpike/files';
import { transaction, type Database } from '@turnpike/store';
import type { Request, Response } from 'express';
import { whenGone } from '../when-gone.ts';
import type { FormKind, ReceivedForm } from '../route.ts';
import { parseForm, receiveForm, type FormHead } from './receive-form.ts';

/** All but its size, which is not known. */
function readAbout({ fields, filename, mediaType }: FormHead): Omit<CreateFile, 'bytes'> {
  const form = parseForm(fileFormSchema, fields);
  return { ...form, ...parseForm(uploadedPartSchema, { filename, media_type: mediaType }) };
}

/** The part of a form's size that is not the file. */
const FORM_BYTES = 256 * 1024;

/**
 * Stores the file of a form. Throws `ProblemError`: those of `receiveForm`, and of `reserve` and `receive` of `Files`.
 */
async function receiveFile(
  request: Request,
  response: Response,
  { tenantId, limits }: { tenantId: string; limits: Limits },
  { files, database }: { files: Files; database: Database },
): Promise<ReceivedForm> {
  const mostBytes = mostBytesOf(request, limits);
  const gone = whenGone(response);
  return receiveForm(request, readAbout, async ({ about, content }) => {
    const reservation = fileRequest(tenantId, { ...about, bytes: mostBytes });
    const { id } = reservation;
    const stored = await transaction(database.pool, (sql) => files.reserve(sql, reservation, limits));
    let isKept = false;
    const release = (): void => {
      // Where this fails, the next pass deletes it once its time is over.
      if (!isKept) files.abandon(id).catch(() => undefined);
    };
    // It may be over already, where the form was refused meanwhile.
    if (response.closed) release();
    else response.once('close', release);
    const { bytes, sha256 } = await files.receive(stored, content as AsyncIterable<Buffer>, gone);
    const body = { ...about, bytes };
    return {
      id,
      body,
      fingerprint: { ...body, sha256 },
      keep() {
        isKept = true;
      },
    };
  });
}

/** As far as the request tells: it is reserved until the size is known. */
function mostBytesOf(request: Request, { max_file_bytes: most }: Limits): number {
  const length = Number(request.headers['content-length'] ?? NaN);
  if (Number.isNaN(length)) return most;
  if (length > most + FORM_BYTES) throw fileTooLarge(most);
  return Math.max(1, Math.min(length, most));
}

/** A file as a client asks for it. */
export function fileRequest(tenantId: string, file: CreateFile) {
  return {
    id: newId('file'),
    tenantId,
    sessionId: file.session_id ?? null,
    turnId: null,
    shared: file.shared,
    filename: file.filename,
    mediaType: file.media_type,
    bytes: file.bytes,
    metadata: file.metadata ?? {},
    keptSeconds: file.expires_in_seconds ?? null,
  };
}

/** A form with a file, whose fields are those of the body. */
export const fileForm: FormKind = {
  schema: {
    type: 'object',
    properties: {
      session_id: { type: 'string' },
      shared: { type: 'string', enum: ['true', 'false'] },
      expires_in_seconds: { type: 'string' },
      metadata: { type: 'string', description: 'JSON.' },
      file: { type: 'string', format: 'binary', description: 'With its name and its media type.' },
    },
    required: ['file'],
  },
  receive: receiveFile,
};
