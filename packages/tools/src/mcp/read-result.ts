import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/client';
import type { OutputPart, ToolOutput } from '@turnpike/contract';
import { boundOutput, type OutputLimits } from '../bound-output.ts';
import { hideSecrets } from '../http/hide-secrets.ts';
import { textOutput } from '../tool.ts';

/** What `boundOutput` accepts, less one for a note. */
const MOST_BLOCKS = 99;

type Block = { type: 'text'; text: string } | { type: 'image' | 'document'; source: Base64 };
interface Base64 {
  type: 'base64';
  media_type: string;
  data: string;
}

/**
 * A result as the model is shown it. Text, images and PDFs become blocks; what the Messages API has no block for is
 * described in a text, and becomes a file. The texts in `hidden` are removed.
 */
export function readResult(
  result: CallToolResult,
  limits: OutputLimits,
  hidden: readonly string[],
): ToolOutput {
  const { content, structuredContent, isError = false } = result;
  const blocks = content.map(blockOf);
  const files = content.flatMap(fileOf);
  const structured = structuredContent === undefined ? null : JSON.stringify(structuredContent);
  // Servers repeat it as text, for clients that do not know it.
  const isRepeated = content.some((block) => block.type === 'text' && isSameJson(block.text, structured));
  if (structured !== null && !isRepeated) blocks.push({ type: 'text', text: structured });
  const shown = blocks.slice(0, MOST_BLOCKS);
  if (blocks.length > MOST_BLOCKS) {
    shown.push({ type: 'text', text: `[left out: ${blocks.length - MOST_BLOCKS} more blocks]` });
  }
  if (shown.length === 0) return textOutput('[no content]', isError);
  const bounded = boundOutput({ content: shown, isError }, limits);
  if (bounded === null) return textOutput('The tool ran, but its output cannot be shown.', true);
  const overflow = [...(bounded.overflow ?? []), ...files];
  const isTruncated = lengthOf(shown) > limits.maxTextCharacters;
  const hiddenPart = (part: OutputPart): OutputPart[] => {
    if (part.encoding === 'text') return [{ ...part, data: hideSecrets(part.data, hidden, false) }];
    // From bytes, no secret can be removed.
    const bytes = Buffer.from(part.data, 'base64');
    if (hidden.some((secret) => bytes.includes(secret))) return [];
    const { filename, ...rest } = part;
    return [filename === undefined ? rest : { ...rest, filename: hideSecrets(filename, hidden, false) }];
  };
  return {
    isError,
    content: bounded.content.map((block) =>
      typeof block['text'] === 'string'
        ? { ...block, text: hideSecrets(block['text'], hidden, isTruncated) }
        : block,
    ),
    ...(overflow.length === 0 ? {} : { overflow: overflow.flatMap(hiddenPart) }),
  };
}

function lengthOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + (block.type === 'text' ? block.text.length : 0), 0);
}

function blockOf(block: ContentBlock): Block {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'image':
      return mediaBlock(block.mimeType, block.data) ?? note('image', block.mimeType, block.data);
    case 'audio':
      return note('audio', block.mimeType, block.data);
    case 'resource_link': {
      const { uri, name, description, mimeType } = block;
      const about = [mimeType, description].filter((part) => part !== undefined).join(', ');
      return { type: 'text', text: `[resource ${name}: ${uri}]${about === '' ? '' : ` ${about}`}` };
    }
    case 'resource': {
      const { resource } = block;
      if ('text' in resource) return { type: 'text', text: `[resource ${resource.uri}]\n${resource.text}` };
      const mediaType = resource.mimeType ?? 'application/octet-stream';
      return (
        mediaBlock(mediaType, resource.blob) ?? note(`resource ${resource.uri}`, mediaType, resource.blob)
      );
    }
    default:
      return { type: 'text', text: '[left out: content of an unknown type]' };
  }
}

/** What models cannot be shown, as a file. */
function fileOf(block: ContentBlock): OutputPart[] {
  if (block.type === 'audio') return [filePart(block.mimeType, block.data, '')];
  if (block.type !== 'resource' || 'text' in block.resource) return [];
  const { uri, blob, mimeType = 'application/octet-stream' } = block.resource;
  return mediaBlock(mimeType, blob) === null ? [filePart(mimeType, blob, nameIn(uri))] : [];
}

function filePart(mediaType: string, data: string, name: string): OutputPart {
  return { encoding: 'base64', mediaType, data, ...(name === '' ? {} : { filename: name }) };
}

/** The last part of a path, as in `file:///reports/may.xlsx`. */
function nameIn(uri: string): string {
  const [path = ''] = uri.split(/[?#]/);
  const name = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function mediaBlock(mediaType: string, data: string): Block | null {
  const source: Base64 = { type: 'base64', media_type: mediaType, data };
  if (mediaType.startsWith('image/')) return { type: 'image', source };
  return mediaType === 'application/pdf' ? { type: 'document', source } : null;
}

function note(what: string, mediaType: string, data: string): Block {
  const bytes = Math.floor((data.length * 3) / 4).toLocaleString('en-US');
  return {
    type: 'text',
    text: `[left out: ${what}, ${mediaType} of ${bytes} bytes, which models cannot be shown]`,
  };
}

function isSameJson(text: string, json: string | null): boolean {
  if (json === null) return false;
  try {
    return JSON.stringify(JSON.parse(text)) === json;
  } catch {
    return false;
  }
}
