import { inputBlocksSchema, type inputBlockSchema } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import type { z } from 'zod';
import type { RequestPart } from './requests.ts';
import { RefusedError } from './refusals.ts';

type InputBlock = z.input<typeof inputBlockSchema>;

const PDF = 'application/pdf';
const JSON_TYPE = 'application/json';

/** Media types of parts that an agent takes, for its card. */
export const INPUT_MODES = [
  'text/plain',
  JSON_TYPE,
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  PDF,
] as const;

/** The parts of a message as blocks for the model. Throws `ProblemError` for a part that cannot be one. */
export function toBlocks(parts: readonly RequestPart[], path: string): z.output<typeof inputBlocksSchema> {
  const blocks = parts.map((part, index) => toBlock(part, `${path}.${index}`));
  const parsed = inputBlocksSchema.safeParse(blocks);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const [index = 0] = issue?.path ?? [];
  throw refused(`${path}.${String(index)}`, issue?.message ?? 'is not valid');
}

function toBlock(part: RequestPart, path: string): InputBlock {
  const { text, raw, url, data, metadata = {}, mediaType = '' } = part;
  const given = [text, raw, url, data].filter((each) => each !== undefined);
  if (given.length !== 1) throw refused(path, 'must have exactly one of text, raw, url and data');
  if (Object.keys(metadata).length > 0)
    throw refused(`${path}.metadata`, 'is refused: an agent would not see it');
  if (data !== undefined) {
    if (mediaType !== '' && !isJson(mediaType)) throw unsupported(mediaType);
    return { type: 'text', text: JSON.stringify(data) };
  }
  if (text !== undefined) {
    if (mediaType !== '' && !isText(mediaType)) throw unsupported(mediaType);
    return { type: 'text', text };
  }
  return toFileBlock(part);
}

function toFileBlock({ raw, url, mediaType = '', filename = '' }: RequestPart): InputBlock {
  const title = filename === '' ? {} : { title: filename.slice(0, 500) };
  if (mediaType.startsWith('image/')) {
    return url === undefined
      ? // Which images there are is checked with the block.
        ({ type: 'image', source: { type: 'base64', media_type: mediaType, data: raw } } as InputBlock)
      : { type: 'image', source: { type: 'url', url } };
  }
  if (mediaType === PDF) {
    const source =
      url === undefined
        ? ({ type: 'base64', media_type: PDF, data: raw ?? '' } as const)
        : ({ type: 'url', url } as const);
    return { type: 'document', source, ...title };
  }
  if (raw !== undefined && isText(mediaType)) {
    const data = Buffer.from(raw, 'base64').toString();
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data }, ...title };
  }
  throw unsupported(mediaType);
}

const isJson = (mediaType: string): boolean => /^application\/([\w.-]+\+)?json\b/i.test(mediaType);
const isText = (mediaType: string): boolean => /^text\//i.test(mediaType) || isJson(mediaType);

function unsupported(mediaType: string): RefusedError {
  const said = mediaType === '' ? 'A file without mediaType' : mediaType;
  return new RefusedError(
    'CONTENT_TYPE_NOT_SUPPORTED',
    `${said} is not taken: ${INPUT_MODES.join(', ')} are.`,
  );
}
