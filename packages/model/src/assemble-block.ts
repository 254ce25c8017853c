import { setInput, storableJson, storableJsonText, type ContentBlock } from '@turnpike/contract';
import { streamMalformed } from './stream-broken.ts';

/** One content block that is being received. */
export interface OpenBlock {
  block: ContentBlock;
  /** The JSON text of a call's input so far; undefined before its first piece. */
  inputText: string | undefined;
  stopped: boolean;
}

type Delta = { type: string; [key: string]: unknown };

/** Adds a delta to its block. Returns the piece of text that clients may be shown. */
export function extendBlock(open: OpenBlock, delta: Delta): string | undefined {
  switch (delta.type) {
    case 'text_delta':
      append(open.block, 'text', delta['text']);
      return String(delta['text']);
    case 'input_json_delta':
      if (typeof delta['partial_json'] !== 'string') throw streamMalformed('a delta without its value');
      open.inputText = (open.inputText ?? '') + delta['partial_json'];
      return undefined;
    case 'thinking_delta':
      append(open.block, 'thinking', delta['thinking']);
      return undefined;
    case 'signature_delta':
      if (typeof delta['signature'] !== 'string') throw streamMalformed('a delta without its value');
      open.block['signature'] = delta['signature'];
      return undefined;
    case 'citations_delta': {
      const before = open.block['citations'];
      open.block['citations'] = [...(Array.isArray(before) ? before : []), delta['citation']];
      return undefined;
    }
    default:
      extendUnknown(open.block, delta);
      return undefined;
  }
}

/**
 * Adds a delta of an unknown type as all known ones work: text is appended to the field of its name, any other value
 * replaces the field.
 */
function extendUnknown(block: ContentBlock, delta: Delta): void {
  for (const [field, value] of Object.entries(delta)) {
    if (field === 'type') continue;
    const before = block[field];
    block[field] = typeof before === 'string' && typeof value === 'string' ? before + value : value;
  }
}

function append(block: ContentBlock, field: string, piece: unknown): void {
  if (typeof piece !== 'string') throw streamMalformed('a delta without its value');
  const before = block[field];
  block[field] = (typeof before === 'string' ? before : '') + piece;
}

/**
 * Ends a block: its texts are made storable, and the text of a call's input is parsed. Returns false where that text
 * is not valid JSON, as in a call that reached the token limit. It is never repaired: half an input can look like
 * another one.
 */
export function finishBlock(open: OpenBlock): boolean {
  open.stopped = true;
  const { inputText } = open;
  const received = open.block;
  const text = inputText === undefined || inputText.trim() === '' ? givenInput(received) : inputText;
  open.block = storableBlock(received);
  // The signature is of the text as it was received.
  if (received['thinking'] !== open.block['thinking']) open.block['signature'] = '';
  if (text === null) return true;
  setInput(open.block, storableJsonText(text));
  return text !== inputText || isJson(text);
}

/** The input of a call that was sent as a whole in `content_block_start`; null where there is none. */
function givenInput(block: ContentBlock): string | null {
  const { input } = block;
  if (input === undefined || input === null) return null;
  try {
    return JSON.stringify(input);
  } catch {
    // Nested too deeply for the stack: no valid input.
    return '';
  }
}

function storableBlock(block: ContentBlock): ContentBlock {
  try {
    return storableJson(block);
  } catch {
    throw streamMalformed('a block is nested too deeply');
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
