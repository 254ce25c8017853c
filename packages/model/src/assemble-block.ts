import { setInput, storableJson, storableJsonText, type ContentBlock } from '@turnpike/contract';
import { streamMalformed } from './stream-broken.ts';

/** One content block on its way. */
export interface OpenBlock {
  block: ContentBlock;
  /** The JSON text of a call's input so far; undefined until a piece of it came. */
  inputText: string | undefined;
  stopped: boolean;
}

type Delta = { type: string; [key: string]: unknown };

/** Puts a delta to its block. Returns the piece of text that a reader may be shown. */
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
 * A delta of a kind that we do not know, put the way that all known ones work: text goes to the end
 * of the field of its name, anything else is the field.
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
 * Ends a block: its texts become storable, and the text of a call's input its value. Returns false where that text
 * is not whole JSON, which is how the API leaves a call that ran into the token limit. It is never repaired: half
 * an input can look like another one.
 */
export function finishBlock(open: OpenBlock): boolean {
  open.stopped = true;
  const { inputText } = open;
  const came = open.block;
  const text = inputText === undefined || inputText.trim() === '' ? givenInput(came) : inputText;
  open.block = storableBlock(came);
  // Whoever signed a thought signed what it was before.
  if (came['thinking'] !== open.block['thinking']) open.block['signature'] = '';
  if (text === null) return true;
  setInput(open.block, storableJsonText(text));
  return text !== inputText || isJson(text);
}

/** The input of a call that came with its beginning, not in pieces; null where there is none. */
function givenInput(block: ContentBlock): string | null {
  const { input } = block;
  if (input === undefined || input === null) return null;
  try {
    return JSON.stringify(input);
  } catch {
    // Nested too deeply for the stack: nothing that a tool could be given.
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
