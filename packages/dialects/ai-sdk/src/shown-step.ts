import { isText, isToolUse, requestedCall, textOf, type ContentBlock } from '@turnpike/contract';
import { z } from 'zod';
import type { ChatSource } from './chat-source.ts';
import type { FileShown, SourceDocument, SourceUrl } from './chunks.ts';

/** A call of a tool, as a part of a message shows it. */
export interface ShownCall {
  toolCallId: string;
  toolName: string;
  input: unknown;
  /** Nothing that the client is to do. */
  isOurs: boolean;
  /** What a tool that the model API runs returned, within the step. */
  result?: unknown;
}

/** What a model call shows. */
export interface ShownStep {
  /** Null where none is shown. */
  reasoning: string | null;
  text: string;
  calls: ShownCall[];
  sources: (SourceUrl | SourceDocument)[];
}

const thinkingSchema = z.looseObject({ type: z.literal('thinking'), thinking: z.string() });
const serverCallSchema = z.looseObject({
  type: z.literal('server_tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.unknown().optional(),
});
const serverResultSchema = z.looseObject({
  type: z.string().regex(/_tool_result$/),
  tool_use_id: z.string(),
  content: z.unknown().optional(),
});
const citationsSchema = z.looseObject({ citations: z.array(z.looseObject({ type: z.string() })) });
const webCitation = z.looseObject({ url: z.string(), title: z.string().nullish() });
const documentCitation = z.looseObject({
  document_index: z.int(),
  document_title: z.string().nullish(),
});

/** Of the content of a model call that is committed. */
export function showStep(
  turnId: string,
  index: number,
  content: readonly ContentBlock[],
  { clientTools, thinks }: Pick<ChatSource, 'clientTools' | 'thinks'>,
): ShownStep {
  const text = textOf(content.filter(isText));
  const thinking = content.flatMap((block) => thinkingSchema.safeParse(block).data?.thinking || []);
  // A stream shows the text before it knows whether the model returns its thinking.
  const hasReasoning = thinking.length > 0 || (thinks && text !== '');
  return {
    reasoning: hasReasoning ? thinking.join('\n\n') : null,
    text,
    calls: content.flatMap((block): ShownCall[] => {
      if (isToolUse(block)) {
        const { toolUseId, name, input } = requestedCall(block);
        // Without an id or a name it is no call that a client could tell from others: the model is told so.
        if (toolUseId === '' || name === '') return [];
        return [{ toolCallId: toolUseId, toolName: name, input, isOurs: !clientTools.has(name) }];
      }
      const call = serverCallSchema.safeParse(block).data;
      if (call === undefined) return [];
      const result = content.find((each) => serverResultSchema.safeParse(each).data?.tool_use_id === call.id);
      return [
        {
          toolCallId: call.id,
          toolName: call.name,
          input: call.input,
          isOurs: true,
          ...(result === undefined ? {} : { result: plain(result['content']) }),
        },
      ];
    }),
    sources: sourcesIn(`${turnId}-${index}`, content),
  };
}

/** What the text cites, each source once. */
function sourcesIn(place: string, content: readonly ContentBlock[]): (SourceUrl | SourceDocument)[] {
  const sources = new Map<string, SourceUrl | SourceDocument>();
  for (const block of content) {
    for (const citation of citationsSchema.safeParse(block).data?.citations ?? []) {
      const sourceId = `${place}-${sources.size}`;
      const web = webCitation.safeParse(citation).data;
      if (web !== undefined) {
        const title = web.title == null ? {} : { title: web.title };
        if (!sources.has(web.url))
          sources.set(web.url, { type: 'source-url', sourceId, url: web.url, ...title });
        continue;
      }
      const document = documentCitation.safeParse(citation).data;
      if (document === undefined) continue;
      const { document_index: number, document_title: title } = document;
      const key = `document ${number}`;
      if (!sources.has(key))
        sources.set(key, {
          type: 'source-document',
          sourceId,
          mediaType: citation.type === 'page_location' ? 'application/pdf' : 'text/plain',
          title: title ?? `Document ${number + 1}`,
        });
    }
  }
  return [...sources.values()];
}

/** The result of a tool: its text, or the object or list that the text is as JSON; else its blocks, without their bytes. */
export function valueOf(output: readonly ContentBlock[]): unknown {
  const [block, another] = output;
  if (block === undefined) return '';
  if (another !== undefined || !isText(block)) return plain(output);
  const { text } = block;
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Without bytes and without what only the model API can read. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const isBytes = 'type' in value && value.type === 'base64';
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) =>
      name.startsWith('encrypted_') || (isBytes && name === 'data') ? [] : [[name, plain(each)]],
    ),
  );
}

const sourceSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
  z.looseObject({ type: z.literal('text'), data: z.string() }),
  z.looseObject({ type: z.literal('url'), url: z.string() }),
  z.looseObject({ type: z.literal('file'), file_id: z.string(), media_type: z.string().optional() }),
]);
const mediaSchema = z.looseObject({
  type: z.enum(['image', 'document']),
  title: z.string().optional(),
  source: sourceSchema,
});

/** A file of a message, as a client shows it. */
export interface FileOfMessage extends FileShown {
  filename?: string;
  providerReference?: { turnpike: string };
}

/** The images and documents among blocks. One that was uploaded has the URL of its bytes, which needs a key. */
export function filesIn(content: readonly ContentBlock[], origin: string): FileOfMessage[] {
  return content.flatMap((block): FileOfMessage[] => {
    const media = mediaSchema.safeParse(block).data;
    if (media === undefined) return [];
    const { source, title } = media;
    const named = title === undefined ? {} : { filename: title };
    const mediaType = media.type === 'image' ? 'image/*' : 'application/pdf';
    switch (source.type) {
      case 'base64':
        return [
          {
            type: 'file',
            mediaType: source.media_type,
            url: `data:${source.media_type};base64,${source.data}`,
            ...named,
          },
        ];
      case 'text': {
        const data = Buffer.from(source.data).toString('base64');
        return [{ type: 'file', mediaType: 'text/plain', url: `data:text/plain;base64,${data}`, ...named }];
      }
      case 'url':
        return [{ type: 'file', mediaType, url: source.url, ...named }];
      case 'file':
        break;
    }
    return [
      {
        type: 'file',
        mediaType: source.media_type ?? mediaType,
        url: `${origin}/v1/files/${source.file_id}/content`,
        ...named,
        providerReference: { turnpike: source.file_id },
      },
    ];
  });
}
