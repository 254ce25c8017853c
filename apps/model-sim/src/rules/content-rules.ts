import { readFileHeader } from '@turnpike/contract';
import type { Block } from '../request-schema.ts';
import { blockRule, type ReadRequest, type Rule } from './rule.ts';

const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];
const RESULT_CONTENT = ['text', 'image', 'document', 'search_result'];
const SERVER_ID = /^srvtoolu_[a-zA-Z0-9_]+$/;
const MOST_MEDIA = 100;
const MANY_IMAGES = 20;
const MOST_PIXELS_OF_MANY = 2_000;

/** Characters of base64 that begin no image. */
const NO_IMAGE = 'AAAA';

export const CONTENT_RULES: readonly Rule[] = [
  blockRule('an error of a tool that says nothing', (block, path) => {
    if (block.type !== 'tool_result' || block['is_error'] !== true || innerBlocks(block).length > 0)
      return null;
    return `${path}.tool_result: content cannot be empty if \`is_error\` is true`;
  }),
  blockRule('an error of a tool that is more than text', (block, path) => {
    if (block.type !== 'tool_result' || block['is_error'] !== true) return null;
    if (innerBlocks(block).every(({ type }) => type === 'text')) return null;
    return `${path}.tool_result: all content must be type "text" if \`is_error\` is true`;
  }),
  blockRule('a result made of other blocks', (block, path) => {
    if (block.type !== 'tool_result') return null;
    const at = innerBlocks(block).findIndex(({ type }) => !RESULT_CONTENT.includes(type));
    if (at === -1) return null;
    return `${path}.tool_result.content.${at}: Input tag found using 'type' does not match any of the expected tags`;
  }),
  blockRule('an image or a document of another type', (block, path) => {
    for (const part of [block, ...innerBlocks(block)]) {
      const refusal = refuseMedia({ ...part }, path);
      if (refusal !== null) return refusal;
    }
    return null;
  }),
  {
    name: 'more images and documents than a request may have',
    refuses({ messages }) {
      const all = messages.flatMap(({ content }) =>
        content.flatMap((block) => [block, ...innerBlocks(block)]),
      );
      const images = all.filter(({ type }) => type === 'image').length;
      const documents = all.filter(({ type }) => type === 'document').length;
      if (images + documents <= MOST_MEDIA) return null;
      return `too many images and documents: ${images} + ${documents} > ${MOST_MEDIA}`;
    },
  },
  { name: 'an image that is too large beside so many', refuses: refuseLargeOfMany },
  blockRule('a server tool id with other characters', (block, path) =>
    block.type !== 'server_tool_use' || SERVER_ID.test(String(block['id']))
      ? null
      : `${path}.server_tool_use.id: String should match pattern '${SERVER_ID.source}'`,
  ),
  { name: 'a server tool without its result, or the other way round', refuses: refuseUnpaired },
  { name: 'a reference to a tool that is not declared', refuses: refuseReferences },
  {
    name: 'a last message of the assistant that the model would have to go on with',
    refuses({ fields: { model }, messages, thinks }) {
      const last = messages.at(-1);
      if (last?.role !== 'assistant' || (!thinks && !WITHOUT_PREFILL.test(model))) return null;
      // It goes on with what it paused in.
      const end = last.content.at(-1)?.type ?? '';
      if (end === 'server_tool_use' || end.endsWith('_tool_result')) return null;
      return 'This model does not support assistant message prefill. The conversation must end with a user message.';
    },
  },
];

/** Models from 4.6 on. */
const WITHOUT_PREFILL = /^claude-[a-z]+-(4-([6-9]|[1-9]\d)(?!\d)|[5-9])/;

function innerBlocks(block: Block & { content?: unknown }): (Block & { source?: unknown })[] {
  const { type, content } = block;
  if (type !== 'tool_result') return [];
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text' }];
  return Array.isArray(content) ? content : [];
}

function refuseMedia({ type, source }: { type: string; source?: unknown }, path: string): string | null {
  if (type !== 'image' && type !== 'document') return null;
  const fields: Record<string, unknown> = typeof source === 'object' && source !== null ? { ...source } : {};
  const { type: kind, media_type: mediaType, data } = fields;
  if (kind === 'url') return null;
  if (kind !== 'base64' && !(kind === 'text' && type === 'document')) {
    return `${path}.${type}.source: Input tag found using 'type' does not match any of the expected tags`;
  }
  if (typeof data !== 'string' || data === '') return `${path}.${type}.source.${kind}.data: Field required`;
  if (kind === 'text')
    return mediaType === 'text/plain'
      ? null
      : `${path}.document.source.text.media_type: Input should be 'text/plain'`;
  if (type === 'document') {
    return mediaType === 'application/pdf'
      ? null
      : `${path}.document.source.base64.media_type: Input should be 'application/pdf'`;
  }
  if (!IMAGE_TYPES.includes(String(mediaType))) {
    return `${path}.image.source.base64.media_type: Input should be ${IMAGE_TYPES.map((known) => `'${known}'`).join(', ')}`;
  }
  return data.startsWith(NO_IMAGE) ? 'Could not process image' : null;
}

function refuseLargeOfMany({ messages }: ReadRequest): string | null {
  const images = messages.flatMap(({ index, content }) =>
    content.flatMap((block, position) => {
      const blocks: (Block & { source?: unknown })[] = [block, ...innerBlocks(block)];
      return blocks
        .filter(({ type }) => type === 'image')
        .map(({ source }) => ({ path: `messages.${index}.content.${position}`, side: longestSide(source) }));
    }),
  );
  if (images.length <= MANY_IMAGES) return null;
  const large = images.find(({ side }) => side > MOST_PIXELS_OF_MANY);
  if (large === undefined) return null;
  return `${large.path}.image.source.base64.data: At least one of the image dimensions exceed max allowed size for many-image requests: ${MOST_PIXELS_OF_MANY} pixels`;
}

/** Pixels; 0 where it cannot be seen. */
function longestSide(source: unknown): number {
  const { data } = { data: undefined, ...(typeof source === 'object' ? source : {}) };
  const size = typeof data === 'string' ? readFileHeader(data)?.size : null;
  return size == null ? 0 : Math.max(size.width, size.height);
}

/** A result may be in the next response, where only results of other tools are in between. */
function refuseUnpaired({ messages }: ReadRequest): string | null {
  let open = new Map<string, string>();
  for (const { index, role, content } of messages) {
    if (role !== 'assistant') {
      const other = content.some(({ type }) => type !== 'tool_result');
      if (other && open.size > 0) return unanswered(open);
      continue;
    }
    const before = open;
    open = new Map();
    for (const [position, block] of content.entries()) {
      const { type, id, tool_use_id: of } = { id: undefined, tool_use_id: undefined, ...block };
      if (type === 'server_tool_use') open.set(String(id), `messages.${index}`);
      if (type === 'tool_result' || !type.endsWith('_tool_result')) continue;
      if (!open.delete(String(of)) && !before.delete(String(of))) {
        return `messages.${index}.content.${position}: unexpected \`tool_use_id\` found in \`${type}\` blocks: ${String(of)}. Each \`${type}\` block must have a corresponding \`server_tool_use\` block before it.`;
      }
    }
    if (before.size > 0) return unanswered(before);
  }
  return null;
}

function unanswered(open: ReadonlyMap<string, string>): string {
  const [[id, path] = ['', '']] = open;
  return `${path}: \`server_tool_use\` ids were found without a corresponding result block: ${id}`;
}

function refuseReferences({ messages, tools }: ReadRequest): string | null {
  const names = new Set(tools.map(({ name }) => name));
  for (const block of messages.flatMap(({ content }) => content)) {
    const { type, content } = { content: undefined, ...block } as { type: string; content?: unknown };
    if (type !== 'tool_search_tool_result' || typeof content !== 'object' || content === null) continue;
    const references = 'tool_references' in content ? content.tool_references : [];
    const unknown = (Array.isArray(references) ? references : []).find(
      (reference: { tool_name?: unknown }) => !names.has(String(reference.tool_name)),
    ) as { tool_name?: unknown } | undefined;
    if (unknown !== undefined)
      return `Tool reference '${String(unknown.tool_name)}' has no corresponding tool definition`;
  }
  return null;
}
