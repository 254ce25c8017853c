import { imageDimensionsFromData } from 'image-dimensions';

/*
 * The images and documents that the Messages API accepts, according to its documentation:
 * https://platform.claude.com/docs/en/build-with-claude/vision and /pdf-support.
 */

export const IMAGE_MEDIA_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;
export type ImageMediaType = (typeof IMAGE_MEDIA_TYPES)[number];

/** Limit of one image, in the unit of the API: characters of base64. */
export const MAX_IMAGE_CHARACTERS = 10 * 1024 * 1024;
/** Limit of width and height in pixels. */
export const MAX_IMAGE_SIDE = 8_000;
/** In a request with more images than this, width and height are limited to `MAX_SIDE_OF_MANY`. */
export const MANY_IMAGES = 20;
export const MAX_SIDE_OF_MANY = 2_000;
/** Images in one request to a model with a context of 200,000 tokens. */
export const MAX_IMAGES = 100;
/** For images and documents, of the 32 MB of a request: characters as they are sent. */
export const MAX_MEDIA_CHARACTERS = 24_000_000;

/** Pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** The media type that the first bytes of a file indicate. */
export interface FileHeader {
  mediaType: string;
  /** Null if the file is not an image, or its header is truncated before the size. */
  size: ImageSize | null;
}

/** Matched against the first bytes as Latin 1, one character per byte. */
const SIGNATURES: readonly (readonly [mediaType: string, isAtStart: (start: string) => boolean])[] = [
  ['image/png', (start) => start.startsWith('\x89PNG\r\n\x1a\n')],
  ['image/jpeg', (start) => start.startsWith('\xff\xd8\xff')],
  ['image/gif', (start) => /^GIF8[79]a/.test(start)],
  ['image/webp', (start) => start.startsWith('RIFF') && start.startsWith('WEBP', 8)],
  ['application/pdf', (start) => start.startsWith('%PDF-')],
  ['image/bmp', (start) => start.startsWith('BM') && start.startsWith('\0\0\0\0', 6)],
  ['image/tiff', (start) => start.startsWith('II*\0') || start.startsWith('MM\0*')],
  ['image/avif', (start) => /^avi[fs]/.test(brandOf(start))],
  ['image/heic', (start) => /^(?:hei|hev|mif1|msf1)/.test(brandOf(start))],
  ['image/svg+xml', (start) => /^\s*(?:<\?xml[^>]*>\s*)?<svg[\s>]/.test(start)],
  ['text/html', (start) => /^\s*<(?:!doctype html|html)[\s>]/i.test(start)],
  ['application/zip', (start) => start.startsWith('PK\x03\x04')],
];

/** The major brand of a file in the ISO base media format. */
const brandOf = (start: string): string => (start.startsWith('ftyp', 4) ? start.slice(8) : '');

/** More than any signature needs. */
const SIGNATURE_CHARACTERS = 1024;

/**
 * Detects a base64 file's type from its first bytes; null if it is not recognised. The rest of the file is not
 * validated.
 */
export function readFileHeader(base64: string): FileHeader | null {
  const start = Buffer.from(base64.slice(0, SIGNATURE_CHARACTERS), 'base64');
  return readHeader(start, () => Buffer.from(base64, 'base64'));
}

/** As `readFileHeader`, from the beginning of a file. A size that is not in it is null. */
export function readFileStart(bytes: Uint8Array): FileHeader | null {
  return readHeader(bytes.subarray(0, SIGNATURE_CHARACTERS), () => bytes);
}

function readHeader(start: Uint8Array, all: () => Uint8Array): FileHeader | null {
  const text = Buffer.from(start).toString('latin1');
  const mediaType = SIGNATURES.find(([, isAtStart]) => isAtStart(text))?.[0];
  if (mediaType === undefined) return null;
  if (!isImageMediaType(mediaType)) return { mediaType, size: null };
  const { width, height } = imageDimensionsFromData(all()) ?? {};
  const size = width === undefined || height === undefined ? null : { width, height };
  return { mediaType, size };
}

function isImageMediaType(mediaType: string): mediaType is ImageMediaType {
  return IMAGE_MEDIA_TYPES.some((known) => known === mediaType);
}
