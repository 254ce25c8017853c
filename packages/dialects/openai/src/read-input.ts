import type { ContentBlock } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import { z } from 'zod';
import { turnOfItem } from './ids.ts';

/** What the items of a request say. */
export interface GivenInput {
  /** New content of the user. */
  content: ContentBlock[];
  /** Texts of the roles `system` and `developer`. */
  instructions: string[];
  /** Outputs of functions that the model called. */
  outputs: { callId: string; output: string | ContentBlock[]; path: string }[];
  /** The turn that the newest repeated item came from, or whose call has an output; null where there is neither. */
  repeatsTurn: string | null;
}

const status = z.enum(['in_progress', 'completed', 'incomplete']).nullish();
const textPart = z.strictObject({ type: z.literal('input_text'), text: z.string() });
const imagePart = z.strictObject({
  type: z.literal('input_image'),
  detail: z.literal('auto', 'only `auto` is supported: the model sees images as they are').nullish(),
  image_url: z.string().nullish(),
  file_id: z.string().nullish(),
});
const filePart = z.strictObject({
  type: z.literal('input_file'),
  detail: z.literal('auto', 'only `auto` is supported').nullish(),
  file_data: z.string().nullish(),
  file_url: z.string().nullish(),
  file_id: z.string().nullish(),
  filename: z.string().nullish(),
});
const inputPart = z.discriminatedUnion('type', [textPart, imagePart, filePart]);
const content = z.union([z.string(), z.array(inputPart)]);

/** A message of the client. Without `type`, as the official client sends it too. */
const messageItem = z.strictObject({
  type: z.literal('message').optional(),
  id: z.string().nullish(),
  role: z.enum(['user', 'system', 'developer']),
  content,
  status,
});

/**
 * What a response had: the session has it, so its content is not read. Some clients repeat items without their ids: a
 * call is known by its `call_id`, and what was said by a call that comes after it.
 */
const repeatedItem = z.looseObject({
  type: z.enum(['message', 'reasoning', 'function_call', 'mcp_call', 'item_reference']).optional(),
  id: z.string().nullish(),
  call_id: z.string().nullish(),
  role: z.literal('assistant').optional(),
});

const outputItem = z.strictObject({
  type: z.literal('function_call_output'),
  id: z.string().nullish(),
  call_id: z.string().min(1).max(200),
  output: content,
  status,
  name: z.string().nullish(),
});

const inputItemSchema = z.union([messageItem, outputItem, repeatedItem]);
export const inputSchema = z
  .union([z.string(), z.array(inputItemSchema).min(1).max(2_000)])
  .meta({ description: 'Text, or items: messages, function call outputs, and items that a response had.' });
type InputItem = z.output<typeof inputItemSchema>;
type Part = z.output<typeof inputPart>;

/** Reads the items of a request in order. Throws `invalid_request`. */
export function readInput(input: z.output<typeof inputSchema>): GivenInput {
  const items: InputItem[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input;
  const given: Reading = { content: [], instructions: [], outputs: [], repeatsTurn: null, unnamed: null };
  for (const [index, item] of items.entries()) readItem(item, `input.${index}`, given);
  const { unnamed, ...read } = given;
  if (unnamed !== null)
    throw refused(
      `${unnamed}.id`,
      'is required for an item that repeats what a response had: use previous_response_id instead',
    );
  return read;
}

/** With the path of a repeated item that nothing names yet. */
type Reading = GivenInput & { unnamed: string | null };

function readItem(item: InputItem, path: string, given: Reading): void {
  if ('call_id' in item && item.type === 'function_call_output') {
    const { call_id: callId, output } = outputItem.parse(item);
    const blocks = typeof output === 'string' ? output : output.map((part) => blockOf(part, path));
    given.outputs.push({ callId, output: blocks, path });
    given.repeatsTurn ??= turnOfItem(callId);
    return;
  }
  const message = messageItem.safeParse(item);
  if (!message.success) {
    const { id, call_id: callId } = repeatedItem.parse(item);
    const name = id ?? callId;
    if (name == null) {
      given.unnamed ??= path;
      return;
    }
    const turnId = turnOfItem(name);
    if (turnId === null)
      throw refused(`${path}.${id == null ? 'call_id' : 'id'}`, 'is not of an item that a response had');
    // What stands before it in the conversation is what the session has, too.
    Object.assign(given, { content: [], outputs: [], repeatsTurn: turnId, unnamed: null });
    return;
  }
  const { role, content: said } = message.data;
  const parts: Part[] = typeof said === 'string' ? [{ type: 'input_text', text: said }] : said;
  if (role === 'user') {
    given.content.push(...parts.map((part, index) => blockOf(part, `${path}.content.${index}`)));
    return;
  }
  for (const part of parts) {
    if (part.type !== 'input_text') throw refused(path, `an item with the role ${role} has text alone`);
    given.instructions.push(part.text);
  }
}

const DATA_URL = /^data:([a-z]+\/[a-z0-9.+-]+)?;base64,(.*)$/is;

function blockOf(part: Part, path: string): ContentBlock {
  if (part.type === 'input_text') return { type: 'text', text: part.text };
  return part.type === 'input_image'
    ? { type: 'image', source: sourceOf(path, part.file_id, part.image_url) }
    : {
        type: 'document',
        source: sourceOf(path, part.file_id, part.file_url ?? part.file_data, 'application/pdf'),
        ...(part.filename == null ? {} : { title: part.filename }),
      };
}

function sourceOf(
  path: string,
  fileId: string | null | undefined,
  text: string | null | undefined,
  mediaType?: string,
): object {
  if (fileId != null) return { type: 'file', file_id: fileId };
  if (text == null) throw refused(path, 'needs a URL, a file id or data');
  const [, declared, data] = DATA_URL.exec(text) ?? [];
  if (data !== undefined) return { type: 'base64', media_type: declared ?? mediaType, data };
  return { type: 'url', url: text };
}
