import { imageDimensionsFromData } from 'image-dimensions';

/*
 * What the Messages API takes as pictures and documents, as it documents it:
 * https://platform.claude.com/docs/en/build-with-claude/vision and /pdf-support.
 */

export const IMAGE_MEDIA_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;
export type ImageMediaType = (typeof IMAGE_MEDIA_TYPES)[number];

/** Of one image, counted as the API counts it: characters of base64. */
export const MAX_IMAGE_CHARACTERS = 10 * 1024 * 1024;
/** Pixels of either side. */
export const MAX_IMAGE_SIDE = 8_000;
/** In a request with more images than this, the limit of either side is `MAX_SIDE_OF_MANY`. */
export const MANY_IMAGES = 20;
export const MAX_SIDE_OF_MANY = 2_000;
/** Images in one request, of a model with a context of 200,000 tokens. */
export const MAX_IMAGES = 100;

/** What the first bytes say that a file is. */
export interface FileHeader {
  mediaType: string;
  /** Pixels; null for what is no image, or where the header ends before its size. */
  size: { width: number; height: number } | null;
}

/** By the bytes as Latin 1, one character each. */
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

/** Of a file in the ISO base media format. */
const brandOf = (start: string): string => (start.startsWith('ftyp', 4) ? start.slice(8) : '');

/** More than any signature needs. */
const SIGNATURE_CHARACTERS = 1024;

/**
 * What a file in base64 is by its first bytes; null for one that is not recognised. Whether the rest of it is
 * whole is not looked at.
 */
export function readFileHeader(base64: string): FileHeader | null {
  const start = Buffer.from(base64.slice(0, SIGNATURE_CHARACTERS), 'base64').toString('latin1');
  const mediaType = SIGNATURES.find(([, isAtStart]) => isAtStart(start))?.[0];
  if (mediaType === undefined) return null;
  if (!isImageMediaType(mediaType)) return { mediaType, size: null };
  const { width, height } = imageDimensionsFromData(Buffer.from(base64, 'base64')) ?? {};
  const size = width === undefined || height === undefined ? null : { width, height };
  return { mediaType, size };
}

function isImageMediaType(mediaType: string): mediaType is ImageMediaType {
  return IMAGE_MEDIA_TYPES.some((known) => known === mediaType);
}
