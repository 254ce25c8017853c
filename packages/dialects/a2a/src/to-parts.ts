import { isText, type ContentBlock } from '@turnpike/contract';
import { z } from 'zod';
import type { Part } from './wire.ts';

const base64 = z.object({ type: z.literal('base64'), media_type: z.string(), data: z.string() });
const textSource = z.object({ type: z.literal('text'), data: z.string() });
const urlSource = z.object({ type: z.literal('url'), url: z.string() });
const fileSource = z.object({ type: z.literal('file'), file_id: z.string() });
const mediaSchema = z.object({
  type: z.enum(['image', 'document']),
  title: z.string().optional(),
  source: z.discriminatedUnion('type', [base64, textSource, urlSource, fileSource]),
});

/** Blocks of a user's message as parts. What only the model is told, such as a tool's result, is none. */
export function toParts(content: readonly ContentBlock[]): Part[] {
  return content.flatMap((block): Part[] => {
    if (isText(block)) return [{ text: block.text }];
    const media = mediaSchema.safeParse(block).data;
    if (media === undefined) return [];
    const { source, title } = media;
    const name = title === undefined ? {} : { filename: title };
    if (source.type === 'base64') return [{ raw: source.data, mediaType: source.media_type, ...name }];
    if (source.type === 'text') {
      const raw = Buffer.from(source.data).toString('base64');
      return [{ raw, mediaType: 'text/plain', ...name }];
    }
    if (source.type === 'file')
      return [{ data: { file_id: source.file_id }, mediaType: 'application/json', ...name }];
    const mediaType = media.type === 'document' ? { mediaType: 'application/pdf' } : {};
    return [{ url: source.url, ...mediaType, ...name }];
  });
}
