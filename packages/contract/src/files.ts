import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';
import { IMAGE_MEDIA_TYPES } from './messages-api/media.ts';
import { formText, parseJson } from './form-fields.ts';
import { storableText } from './storable-text.ts';

/** Text that a model reads as a document, and that clients may upload. In UTF-8. */
export const TEXT_MEDIA_TYPES = [
  'text/plain',
  'text/markdown',
  'text/csv',
  'text/html',
  'text/xml',
  'application/xml',
  'application/json',
] as const;

/** What clients may upload. */
export const UPLOAD_MEDIA_TYPES = [...IMAGE_MEDIA_TYPES, 'application/pdf', ...TEXT_MEDIA_TYPES] as const;
/** Of a tool's output that is neither text nor anything that a model can be shown. */
export const OTHER_MEDIA_TYPE = 'application/octet-stream';

export const uploadMediaTypeSchema = z.enum(UPLOAD_MEDIA_TYPES);
export const fileMediaTypeSchema = z.enum([...UPLOAD_MEDIA_TYPES, OTHER_MEDIA_TYPE]);
export type FileMediaType = z.infer<typeof fileMediaTypeSchema>;

export function isTextMediaType(mediaType: string): boolean {
  return TEXT_MEDIA_TYPES.some((known) => known === mediaType);
}

/**
 * `uploading`: its bytes are not all there. `pending`: the operator's scan has not accepted it. Only `ready` files have
 * content that can be read and used. `refused` files have none.
 */
export const fileStatusSchema = z.enum(['uploading', 'pending', 'ready', 'refused']);

/**
 * No control characters, no path, and nothing that has a name read otherwise than it is. Without the flag for `\p{Cc}`,
 * which patterns of JSON Schema cannot have.
 */
const IN_PATH = String.raw`\x00-\x1f\x7f-\x9f/\\\u2028-\u202e\u2066-\u2069`;
const WITHOUT_PATH = new RegExp(`^[^${IN_PATH}]+$`);
const UNUSABLE = new RegExp(`[${IN_PATH}]`, 'g');
const MOST_NAME_CHARACTERS = 255;

/** Shown to people, and never part of a path. */
const filenameSchema = z
  .string()
  .min(1)
  .max(MOST_NAME_CHARACTERS)
  .regex(WITHOUT_PATH, 'must have no control character or mark of direction, / or \\')
  .meta({ example: 'invoice.pdf' });

/** A name that comes from elsewhere as one that a file may have; null where nothing of it can be read. */
export function asFilename(name: string): string | null {
  const usable = storableText(name.replaceAll(UNUSABLE, '_').slice(0, MOST_NAME_CHARACTERS));
  return /[^.\s]/.test(usable) ? usable : null;
}

const sessionIdOfFile = idSchema('session').meta({
  description: 'The session that it is erased with. Left out: that of the first turn that uses it.',
});
const sharedSchema = z
  .boolean()
  .meta({ description: 'It belongs to no session: it stays when sessions that use it are erased.' });
const lifetimeSchema = z
  .int()
  .min(60)
  .max(10 * 366 * 24 * 60 * 60)
  .meta({ description: 'It is deleted after so long. Left out: it is kept.' });

const ofNewFile = {
  session_id: sessionIdOfFile.optional(),
  shared: sharedSchema.default(false),
  expires_in_seconds: lifetimeSchema.optional(),
  metadata: metadataSchema.optional(),
};

/** A session's file cannot be shared. */
const sharedOrOfSession = (file: { shared: boolean; session_id?: string | undefined }): boolean =>
  !file.shared || file.session_id === undefined;
const SHARED_OF_SESSION = {
  path: ['shared'],
  message: 'must be false for a file that belongs to a session',
};

/** The body of a request for an upload URL: nothing has been sent yet. */
export const createFileSchema = z
  .strictObject({
    filename: filenameSchema,
    media_type: uploadMediaTypeSchema,
    bytes: z
      .int()
      .min(1)
      .max(5 * 1024 ** 3)
      .meta({ description: 'The exact size.' }),
    ...ofNewFile,
  })
  .refine(sharedOrOfSession, SHARED_OF_SESSION)
  .meta({ id: 'CreateFile' });
export type CreateFile = z.infer<typeof createFileSchema>;

/** The fields of a form before its file. */
export const fileFormSchema = z
  .strictObject({
    session_id: ofNewFile.session_id,
    shared: formText(
      (text) => (text === 'true' ? true : text === 'false' ? false : text),
      sharedSchema,
    ).default(false),
    expires_in_seconds: formText(Number, lifetimeSchema).optional(),
    metadata: formText(parseJson, metadataSchema).optional(),
  })
  .refine(sharedOrOfSession, SHARED_OF_SESSION);

/** Name and type of a file in a form. */
export const uploadedPartSchema = z.object({ filename: filenameSchema, media_type: uploadMediaTypeSchema });

export const fileUploadSchema = z
  .object({
    method: z.literal('PUT'),
    url: z.string().meta({
      description:
        'Where the bytes are put. Relative to the URL of this request where the API stores files itself.',
    }),
    headers: z.record(z.string(), z.string()).meta({ description: 'To be sent as they are.' }),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'FileUpload', description: 'A URL for one upload. It is a secret for as long as it lasts.' });
export type FileUpload = z.infer<typeof fileUploadSchema>;

export const fileSchema = z
  .object({
    id: idSchema('file'),
    object: z.literal('file'),
    filename: z.string(),
    media_type: fileMediaTypeSchema,
    bytes: z.int().meta({ description: 'While it is `uploading`: what is reserved for it.' }),
    sha256: z.string().nullable().meta({
      description: 'Of the content, in hexadecimal; null before the upload is complete.',
    }),
    width: z.int().nullable().meta({ description: 'Of an image, in pixels, where its header tells.' }),
    height: z.int().nullable(),
    status: fileStatusSchema,
    refusal: z.string().nullable().meta({ description: 'Why the scan refused it.' }),
    session_id: idSchema('session').nullable().meta({ description: 'The session that it is erased with.' }),
    turn_id: idSchema('turn').nullable().meta({ description: 'The turn whose tool made it.' }),
    shared: sharedSchema,
    metadata: metadataSchema,
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'File', description: 'A file of the tenant. Its content never changes.' });
export type File = z.infer<typeof fileSchema>;

/** The only response that has the URL. */
export const createdFileSchema = fileSchema
  .extend({
    upload: fileUploadSchema.nullable().meta({ description: 'Null where the bytes came with the request.' }),
  })
  .meta({ id: 'CreatedFile' });
export type CreatedFile = z.infer<typeof createdFileSchema>;
