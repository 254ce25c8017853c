import {
  createdFileSchema,
  createFileSchema,
  fileSchema,
  idSchema,
  pageLimitSchema,
  pageSchema,
  type File,
} from '@turnpike/contract';
import { noFile } from '@turnpike/files';
import { deleteFile, listFiles, readFile } from '@turnpike/store';
import { z } from 'zod';
import { pageOf } from '../cursor.ts';
import { fileForm, fileRequest } from '../files/receive-file.ts';
import { sendContent } from '../files/send-content.ts';
import { timeFilters, timesOf } from '../list-filters.ts';
import { defineRoute, located, type Route } from '../route.ts';

const params = z.object({ file_id: idSchema('file') });
const none = z.object({});

export const fileRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/files',
    operationId: 'createFile',
    summary: 'Upload a file, or get a URL to upload one to',
    description:
      'As `multipart/form-data`, the file comes with the request: the part `file`, with its name and type, after the ' +
      'other fields. As JSON, the response has a URL; once the bytes are there, `POST /v1/files/{file_id}/complete` ' +
      'makes it usable. Its content must be of the type that it is declared as.',
    tag: 'Files',
    scope: 'files:write',
    audit: 'file.created',
    params: none,
    query: none,
    body: createFileSchema,
    form: fileForm,
    response: { status: 201, description: 'The file.', schema: createdFileSchema, headers: located },
    problems: [
      'not_found',
      'file_limit',
      'file_storage_full',
      'file_too_large',
      'file_type_mismatch',
      'upload_incomplete',
      'metadata_too_large',
    ],
    async handle({ tenantId, limits, body, received, sql }, { files }) {
      if (received === null) {
        const { file, upload } = await files.reserveUpload(sql, fileRequest(tenantId, body), limits);
        // The URL is a secret: it is not kept with the response.
        return { ...created(file), shownOnce: { upload } };
      }
      const file = await files.complete(sql, tenantId, received.id);
      return {
        ...created(file),
        afterCommit() {
          received.keep();
          if (file.status === 'pending') files.upkeep.nudge();
        },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/files',
    operationId: 'listFiles',
    summary: 'List files, newest first',
    tag: 'Files',
    scope: 'files:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('file').optional(),
      session_id: idSchema('session').optional(),
      ...timeFilters,
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(fileSchema).meta({ id: 'FileList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const files = await listFiles(sql, tenantId, page, { ...timesOf(query), sessionId: query.session_id });
      return { status: 200, body: pageOf(files, query.limit, (file) => file.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/files/:file_id',
    operationId: 'getFile',
    summary: 'Read what is known of a file',
    tag: 'Files',
    scope: 'files:read',
    params,
    query: none,
    response: { status: 200, description: 'The file, without its content.', schema: fileSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { file_id: id }, sql }) {
      const stored = await readFile(sql, tenantId, id);
      if (stored === null) throw noFile(id);
      return { status: 200, body: stored.file };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/files/:file_id/content',
    operationId: 'getFileContent',
    summary: 'Download the content of a file, or a part of it',
    tag: 'Files',
    scope: 'files:read',
    params,
    query: none,
    headers: z.object({
      Range: z.string().max(100).optional().meta({
        description: 'One range of bytes; more than one, and other units, are ignored.',
        example: 'bytes=0-1023',
      }),
      'If-Range': z.string().max(100).optional().meta({
        description: 'The `ETag` of the file that the range is of; the whole is sent where it is another.',
      }),
    }),
    response: {
      status: 200,
      description: 'The content, as an attachment. 206 for a part of it.',
      binary: true,
    },
    problems: ['not_found', 'file_not_ready', 'file_refused', 'range_not_satisfiable'],
    async handle({ tenantId, params: { file_id: id }, header, sql }, { files, reportError }) {
      const stored = await readFile(sql, tenantId, id);
      if (stored === null) throw noFile(id);
      const ranges = { range: header('range'), ifRange: header('if-range') };
      return sendContent(stored, ranges, files, (error) => reportError(error, { file_id: id }));
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/files/:file_id/complete',
    operationId: 'completeFile',
    summary: 'Complete an upload: all bytes were put to its URL',
    tag: 'Files',
    scope: 'files:write',
    audit: 'file.completed',
    params,
    query: none,
    response: {
      status: 200,
      description: 'The file; `pending` where it is scanned first.',
      schema: fileSchema,
    },
    problems: ['not_found', 'upload_incomplete', 'file_type_mismatch'],
    async prepare({ tenantId, params: { file_id: id }, whenGone }, { files }) {
      await files.inspectUpload(tenantId, id, whenGone());
    },
    async handle({ tenantId, params: { file_id: id }, sql }, { files }) {
      const before = await readFile(sql, tenantId, id);
      if (before === null) throw noFile(id);
      // It was completed before, and the response was lost.
      const isDone = before.file.status !== 'uploading';
      const file = isDone ? before.file : await files.complete(sql, tenantId, id);
      return {
        status: 200,
        body: file,
        afterCommit() {
          if (file.status === 'pending') files.upkeep.nudge();
        },
      };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/files/:file_id',
    operationId: 'deleteFile',
    summary: 'Delete a file; messages that have it show the model a short text instead',
    tag: 'Files',
    scope: 'files:write',
    audit: 'file.deleted',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { file_id: id }, sql }, { files }) {
      const file = await deleteFile(sql, tenantId, id);
      if (file === null) throw noFile(id);
      return { status: 204, audited: { details: detailsOf(file) }, afterCommit: () => files.upkeep.nudge() };
    },
  }),
];

function created(file: File) {
  return {
    status: 201,
    headers: { Location: `/v1/files/${file.id}` },
    body: { ...file, upload: null },
    audited: { details: detailsOf(file) },
  };
}

/** Never its name, which may be content. */
const detailsOf = ({ media_type, bytes }: File) => ({ media_type, bytes });
