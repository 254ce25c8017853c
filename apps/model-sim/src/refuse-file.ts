import { MAX_IMAGE_CHARACTERS, MAX_IMAGE_SIDE, readFileHeader, type FileHeader } from '@turnpike/contract';
import { z } from 'zod';

const fileSchema = z.object({
  type: z.enum(['image', 'document']),
  source: z.object({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
});

/** Enough for the size of most images; the rest is not decoded. */
const START_CHARACTERS = 350_000;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Why the API refuses the data of an image or a document once it opens it; null for any other block. */
export function refuseFile(block: object, path: string): string | null {
  const { type, source } = fileSchema.safeParse(block).data ?? {};
  if (type === undefined || source === undefined) return null;
  const { media_type: declared, data } = source;
  const at = `${path}.${type}.source.base64`;
  if (data.length % 4 !== 0 || !BASE64.test(data)) return `${at}: invalid base64 data`;
  const header = readFileHeader(data.slice(0, START_CHARACTERS));
  if (type === 'document') return refuseDocument(header, at);
  return refuseImage(header, { declared, data }, at);
}

function refuseDocument(header: FileHeader | null, at: string): string | null {
  const isOther = header !== null && header.mediaType !== 'application/pdf';
  return isOther ? `${at}.data: The PDF specified was not valid.` : null;
}

function refuseImage(
  header: FileHeader | null,
  { declared, data }: { declared: string; data: string },
  at: string,
): string | null {
  if (data.length > MAX_IMAGE_CHARACTERS)
    return `${at}: image exceeds 10 MB maximum: ${data.length} bytes > ${MAX_IMAGE_CHARACTERS} bytes`;
  if (header === null) return null;
  if (header.mediaType !== declared)
    return `${at}.data: The image was specified using the ${declared} media type, but the image appears to be a ${header.mediaType} image`;
  const side = Math.max(header.size?.width ?? 0, header.size?.height ?? 0);
  if (side <= MAX_IMAGE_SIDE) return null;
  return `${at}.data: At least one of the image dimensions exceed max allowed size: ${MAX_IMAGE_SIDE} pixels`;
}
