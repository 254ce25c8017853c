import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { FileGoneError, type FileStorage } from './file-storage.ts';

export interface S3Settings {
  bucket: string;
  /** Of every key; empty, or ends with `/`. */
  prefix: string;
  region: string;
  /** Default: that of AWS in the region. */
  endpoint?: string | undefined;
  /** The bucket is in the path of URLs, and not in their host. */
  pathStyle: boolean;
  /** Default: those that the AWS SDK finds (environment, files, instance). */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
}

const CONNECT_MS = 5_000;
/** Without a byte, in either direction. */
const IDLE_MS = 30_000;
/** Of an upload: the least that S3 accepts. One upload holds two of them. */
const PART_BYTES = 5 * 1024 * 1024;
const PARTS_AT_ONCE = 1;
const MAX_ATTEMPTS = 3;

/** Bytes in an object store that speaks S3, an object for each file. */
export function createS3Storage(settings: S3Settings): FileStorage {
  const { bucket, prefix, region, endpoint, pathStyle, credentials } = settings;
  const client = new S3Client({
    region,
    forcePathStyle: pathStyle,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
    // Other stores than S3 itself do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  const at = (key: string) => ({ Bucket: bucket, Key: `${prefix}${key}` });
  const uploadKey = (fileId: string): string => `uploads/${fileId}`;

  return {
    name: 's3',
    uploadKey,
    async write(fileId, pieces, signal) {
      const upload = new Upload({
        client,
        params: { ...at(fileId), Body: Readable.from(pieces, { objectMode: false }) },
        partSize: PART_BYTES,
        queueSize: PARTS_AT_ONCE,
        leavePartsOnError: false,
      });
      const abort = (): void => void upload.abort();
      signal.addEventListener('abort', abort, { once: true });
      try {
        signal.throwIfAborted();
        await upload.done();
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    async *read(fileId, { start, end }, signal) {
      if (start >= end) return;
      const range = `bytes=${start}-${end - 1}`;
      const command = new GetObjectCommand({ ...at(fileId), Range: range });
      const { Body: body } = await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        throw isMissing(error) ? new FileGoneError(fileId) : error;
      });
      if (!(body instanceof Readable)) throw new FileGoneError(fileId);
      try {
        for await (const piece of body as AsyncIterable<Buffer>) yield piece;
      } finally {
        body.destroy();
      }
    },
    async createUpload(fileId, { bytes, mediaType, seconds }) {
      const command = new PutObjectCommand({
        ...at(uploadKey(fileId)),
        ContentLength: bytes,
        ContentType: mediaType,
      });
      const signed = new Set(['content-length', 'content-type']);
      const url = await getSignedUrl(client, command, { expiresIn: seconds, signableHeaders: signed });
      return { url, headers: { 'content-type': mediaType } };
    },
    async takeUpload(fileId) {
      const source = at(uploadKey(fileId));
      try {
        const path = [source.Bucket, ...source.Key.split('/')].map(encodeURIComponent).join('/');
        await client.send(new CopyObjectCommand({ ...at(fileId), CopySource: path }));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
      const { ContentLength: bytes } = await client.send(new HeadObjectCommand(at(fileId)));
      return bytes ?? null;
    },
    async erase(key) {
      await client.send(new DeleteObjectCommand(at(key)));
      await abortUploads(client, at(key));
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

/** Parts of an upload whose process died are no object yet, and stay until they are aborted. */
async function abortUploads(
  client: S3Client,
  { Bucket, Key }: { Bucket: string; Key: string },
): Promise<void> {
  try {
    const { Uploads: uploads = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix: Key }),
    );
    for (const { Key: key, UploadId } of uploads)
      if (key === Key) await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  } catch (error) {
    // Not every store lists them, nor may every key: there, a lifecycle rule of the bucket removes them.
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === undefined || (status >= 500 && status !== 501)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;
}
