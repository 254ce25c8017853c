import { hideSecrets, hideSecretsAcross } from '@turnpike/tools';
import { OUTPUT_LIMITS } from './output-limits.ts';

type Block = Readonly<Record<string, unknown>>;

export function holdsSecret(text: string, secrets: readonly string[]): boolean {
  return hideSecrets(text, secrets, false) !== text;
}

/** The same JSON value without secrets, in its texts and in the names of its fields. */
export function hideInJson<Value>(value: Value, secrets: readonly string[]): Value {
  return secrets.length === 0 ? value : (hideInside(value, secrets) as Value);
}

function hideInside(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return hideSecrets(value, secrets, false);
  if (Array.isArray(value)) return value.map((item) => hideInside(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      hideSecrets(name, secrets, false),
      hideInside(inner, secrets),
    ]),
  );
}

/**
 * Content blocks without secrets: in texts, also where one is divided among blocks that follow each other, and in all
 * that images and documents say. Media whose bytes hold a secret are left out.
 */
export function hideInBlocks<One extends Block>(
  blocks: readonly One[],
  secrets: readonly string[],
): (One | { type: 'text'; text: string })[] {
  if (secrets.length === 0) return [...blocks];
  const clean = hideInTexts(
    blocks.map((block) => textOf(block) ?? BETWEEN),
    secrets,
  );
  return blocks.map((block, index) => {
    if (textOf(block) !== null) return { ...block, text: clean[index] ?? '' };
    if (hasSecretBytes(block, secrets)) {
      return { type: 'text', text: `[left out: ${String(block['type'])}, since it holds a secret]` };
    }
    return withoutMediaData(block, (rest) =>
      JSON.stringify(rest).length > MOST_DOCUMENT_CHARACTERS ? null : hideInJson(rest, secrets),
    );
  });
}

/**
 * Of a long output only the beginning is shown, so the rest is not searched, which would hold the event loop for
 * seconds; but where so much is hidden that more of it would be shown, all is.
 */
function hideInTexts(texts: readonly string[], secrets: readonly string[]): string[] {
  let left = SEARCHED_CHARACTERS;
  const searched = texts.map((text) => {
    const beginning = text.slice(0, left);
    left -= beginning.length;
    return beginning;
  });
  const clean = hideSecretsAcross(searched, secrets);
  if (left > 0) return clean;
  const isEnough = clean.join('').length >= OUTPUT_LIMITS.maxTextCharacters + LONGEST_SECRET;
  if (!isEnough) return hideSecretsAcross(texts, secrets);
  return texts.map((text, index) => `${clean[index] ?? ''}${text.slice(searched[index]?.length ?? 0)}`);
}

const SEARCHED_CHARACTERS = 4 * OUTPUT_LIMITS.maxTextCharacters;
/** In any encoding. */
const LONGEST_SECRET = OUTPUT_LIMITS.maxTextCharacters;
const MOST_DOCUMENT_CHARACTERS = 1_000_000;

/** Stands for a block without text: a secret does not go on after it. */
const BETWEEN = '\n\u0000\n';

function textOf({ type, text }: Block): string | null {
  return type === 'text' && typeof text === 'string' ? text : null;
}

function mediaDataOf({ source }: Block): string | null {
  if (typeof source !== 'object' || source === null) return null;
  const { type, data } = source as Block;
  return type === 'base64' && typeof data === 'string' ? data : null;
}

/** Looks for the values as they are: what a picture or a compressed file encodes is not seen. */
function hasSecretBytes(block: Block, secrets: readonly string[]): boolean {
  const data = mediaDataOf(block);
  if (data === null) return false;
  const bytes = Buffer.from(data, 'base64');
  return secrets.some((secret) => secret.length >= SHORTEST && bytes.includes(secret));
}

/** Shorter values are found in any bytes. */
const SHORTEST = 6;

/** Changes all of a block but the bytes of its media, which are megabytes. Null: it is too long. */
function withoutMediaData<One extends Block>(
  block: One,
  change: (rest: One) => One | null,
): One | { type: 'text'; text: string } {
  const data = mediaDataOf(block);
  const changed = change(
    data === null ? block : { ...block, source: { ...(block['source'] as Block), data: '' } },
  );
  if (changed === null) {
    const text = `[left out: ${String(block['type'])}, too long to be searched for secrets]`;
    return { type: 'text', text };
  }
  if (data === null) return changed;
  return { ...changed, source: { ...(changed['source'] as Block), data } };
}
