import { fileMediaTypeSchema, fileStatusSchema, metadataSchema, type File } from '@turnpike/contract';
import { z } from 'zod';
import { selectList } from '../database/select-list.ts';

/** Where the bytes of a file are. */
export const fileStorageSchema = z.enum(['postgres', 's3']);
export type FileStorageName = z.infer<typeof fileStorageSchema>;

/** A file, with where its bytes are. */
export interface StoredFile {
  file: File;
  storage: FileStorageName;
}

const storedFileSchema = z.object({
  id: z.string(),
  filename: z.string(),
  mediaType: fileMediaTypeSchema,
  bytes: z.coerce.number().int(),
  sha256: z.string().nullable(),
  width: z.int().nullable(),
  height: z.int().nullable(),
  status: fileStatusSchema,
  refusal: z.string().nullable(),
  sessionId: z.string().nullable(),
  turnId: z.string().nullable(),
  shared: z.boolean(),
  metadata: metadataSchema,
  storage: fileStorageSchema,
  createdAt: z.date(),
  expiresAt: z.date().nullable(),
});

export const FILE_COLUMNS = selectList(storedFileSchema, 'files');

export const fileRow = storedFileSchema.transform(({ storage, ...row }): StoredFile => ({
  storage,
  file: {
    id: row.id,
    object: 'file',
    filename: row.filename,
    media_type: row.mediaType,
    bytes: row.bytes,
    sha256: row.sha256,
    width: row.width,
    height: row.height,
    status: row.status,
    refusal: row.refusal,
    session_id: row.sessionId,
    turn_id: row.turnId,
    shared: row.shared,
    metadata: row.metadata,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
  },
}));

/** What has expired is gone, also before a pass deletes it. */
export const NOT_EXPIRED = `(files.expires_at IS NULL OR files.expires_at > now())`;
