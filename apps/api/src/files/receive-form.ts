import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { describeIssues, ProblemError } from '@turnpike/contract';
import type { Request } from 'express';
import type { z } from 'zod';
import { findUnstorable } from '../check-json.ts';

/** The file of a form, whose bytes have not been read. */
export interface FormFile<About> {
  /** What is said of it. */
  about: About;
  content: Readable;
}

/** What a form says before its file. */
export interface FormHead {
  fields: Record<string, string>;
  filename: string | undefined;
  mediaType: string | undefined;
}

const LIMITS = {
  files: 1,
  fields: 8,
  parts: 9,
  fieldNameSize: 100,
  fieldSize: 64 * 1024,
  headerPairs: 20,
  headerSize: 16 * 1024,
};

export function isForm(request: Request): boolean {
  return request.is('multipart/form-data') !== false;
}

/**
 * Reads a `multipart/form-data` with fields and, after them, one part `file`, which `take` is given. Nothing of the
 * file is held: as fast as `take` reads it, it is read. Throws what `take` throws, and `invalid_request`.
 */
export function receiveForm<About, Result>(
  request: Request,
  readAbout: (head: FormHead) => About,
  take: (file: FormFile<About>) => Promise<Result>,
): Promise<Result> {
  return new Promise<Result>((resolve, reject) => {
    const parser = openParser(request);
    const fields = new Map<string, string>();
    let taken: Promise<Result> | null = null;
    const fail = (error: unknown): void => {
      reject(error);
      request.unpipe(parser);
      // The rest is read and discarded: a client that still sends does not read the response yet.
      request.resume();
    };
    const refuse = (detail: string): void => fail(new ProblemError('invalid_request', detail));

    parser.on('field', (name, value, _nameTruncated, isTruncated) => {
      if (taken !== null) return refuse(`The field ${shown(name)} must come before the file.`);
      if (isTruncated || fields.has(name))
        return refuse(`The field ${shown(name)} is too large, or repeated.`);
      fields.set(name, value);
    });
    parser.on('file', (name, content, filename, _encoding, mediaType) => {
      // What breaks it is told to whoever reads it.
      content.on('error', () => undefined);
      request.once('close', () => {
        if (!request.complete) content.destroy(new ProblemError('invalid_request', 'The body is truncated.'));
      });
      try {
        if (name !== 'file')
          throw new ProblemError('invalid_request', 'The part of the file is called `file`.');
        taken = take({
          about: readAbout({ fields: Object.fromEntries(fields), filename, mediaType }),
          content,
        });
        taken.catch((error: unknown) => {
          fail(error);
          content.destroy();
        });
      } catch (error) {
        content.resume();
        fail(error);
      }
    });
    parser.once('filesLimit', () => refuse('A form has one file.'));
    parser.once('fieldsLimit', () => refuse('The form has too many fields.'));
    parser.once('partsLimit', () => refuse('The form has too many parts.'));
    parser.once('error', (error) => fail(broken(error)));
    request.once('close', () => {
      if (!request.complete) fail(broken(new Error('The client has disconnected.')));
    });
    parser.once('finish', () => {
      if (taken === null) refuse('The form has no part `file`.');
      else taken.then(resolve, reject);
    });
    request.pipe(parser);
  });
}

function openParser(request: Request): InstanceType<typeof Busboy> {
  try {
    const type = request.headers['content-type'] ?? '';
    return new Busboy({ headers: { ...request.headers, 'content-type': type }, limits: LIMITS });
  } catch (error) {
    throw broken(error);
  }
}

/** Parses a part of a form. Throws `invalid_request`. */
export function parseForm<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const result = schema.safeParse(given);
  if (!result.success) {
    throw new ProblemError('invalid_request', 'The form is not valid.', {
      issues: describeIssues(result.error, given),
    });
  }
  const unstorable = findUnstorable(result.data);
  if (unstorable === null) return result.data;
  throw new ProblemError('invalid_request', 'The form is not valid.', { issues: [unstorable] });
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 64));

function broken(cause: unknown): ProblemError {
  return new ProblemError('invalid_request', 'The form is truncated, or is no multipart/form-data.', {
    cause,
  });
}
