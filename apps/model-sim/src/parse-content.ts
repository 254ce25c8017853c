import { z } from 'zod';
import { invalidRequest } from './api-error.ts';
import { describeIssue, firstIssue } from './format-issue.ts';
import { LOOSE_BLOCK_TYPES, isTextBlock, isToolResultBlock, strictBlocks } from './request-schema.ts';
import type { Block, TextBlock } from './request-schema.ts';

const typedSchema = z.looseObject({ type: z.string() });
const ASSISTANT_ONLY = ['tool_use', 'thinking', 'redacted_thinking', 'server_tool_use'];
const USER_ONLY = ['tool_result', 'image', 'document'];

/**
 * Content as blocks: a string is one text block. `path` names it in errors.
 * Throws `ApiError` 400 for a block that the role may not have or that is not well-formed.
 */
export function parseContent(content: unknown, path: string, role: 'user' | 'assistant' | 'system'): Block[] {
  if (content === undefined) throw invalidRequest(`${path}: Field required`);
  if (typeof content === 'string') {
    if (content === '') return [];
    const block: TextBlock = { type: 'text', text: content };
    checkText(block, path);
    return [block];
  }
  if (!Array.isArray(content)) throw invalidRequest(`${path}: Input should be a valid string or list`);
  return content.map((block: unknown, index) => parseBlock(block, `${path}.${index}`, role));
}

function parseBlock(value: unknown, path: string, role: 'user' | 'assistant' | 'system'): Block {
  const typed = typedSchema.safeParse(value, { error: describeIssue });
  if (!typed.success) throw invalidRequest(firstIssue(typed.error, path));
  const { type } = typed.data;
  if (role !== 'assistant' && ASSISTANT_ONLY.includes(type)) {
    throw invalidRequest(`${path}: \`${type}\` blocks can only be in \`assistant\` messages`);
  }
  if (role !== 'user' && USER_ONLY.includes(type)) {
    throw invalidRequest(`${path}: \`${type}\` blocks can only be in \`user\` messages`);
  }
  if (LOOSE_BLOCK_TYPES.includes(type)) return typed.data;
  if (!isStrictType(type)) {
    const known = [...Object.keys(strictBlocks), ...LOOSE_BLOCK_TYPES].map((name) => `'${name}'`).join(', ');
    throw invalidRequest(
      `${path}: Input tag '${type}' found using 'type' does not match any of the expected tags: ${known}`,
    );
  }
  const parsed = strictBlocks[type].safeParse(value, { error: describeIssue });
  if (!parsed.success) throw invalidRequest(firstIssue(parsed.error, `${path}.${type}`));
  const block: Block = parsed.data;
  if (isTextBlock(block)) checkText(block, path);
  if (isToolResultBlock(block) && Array.isArray(block.content)) {
    for (const inner of block.content.filter(isTextBlock)) checkText(inner, path);
  }
  return block;
}

function checkText({ text }: TextBlock, path: string): void {
  if (text.trim() !== '') return;
  const where = path.startsWith('system') ? 'system' : 'messages';
  const lack = text === '' ? 'be non-empty' : 'contain non-whitespace text';
  throw invalidRequest(`${where}: text content blocks must ${lack}`);
}

function isStrictType(type: string): type is keyof typeof strictBlocks {
  return Object.hasOwn(strictBlocks, type);
}
