import {
  fileSourceOf,
  isTextMediaType,
  type AgentConfig,
  type ContentBlock,
  type StoredMessage,
} from '@turnpike/contract';
import type { Progress } from './progress.ts';
import { shownMessages } from './shown-messages.ts';

/** A token is about four letters of English and one character of Chinese: three bytes of either. */
const BYTES_A_TOKEN = 3;
/** An image or a page of a document counts by its size on the screen, not in bytes. */
const MEDIA_TOKENS = 1_600;
const MEDIA = new Set(['image', 'document']);

/** This part of the window is for the turns that are kept as they are. */
const KEPT_SHARE = 0.5;

/**
 * Between these shares of the window, the estimate does not tell whether the conversation fits. JSON, code and figures
 * have about 2.4 bytes a token: the estimate is a fifth too low. English has four: it is a third too high.
 */
const UNCERTAIN_FROM = 0.8;
const UNCERTAIN_TO = 4 / 3;

/** The oldest turns of a session, which a summary is to replace. */
export interface Overflow {
  messages: StoredMessage[];
  throughSequence: number;
}

/** Of a session as it would be sent, in tokens: an estimate. */
export function estimateSize({ history, messages }: Pick<Progress, 'history' | 'messages'>): number {
  return estimateTokens(history) + estimateTokens(messages);
}

/** An estimate, within about a third: what matters is that it grows with the text. */
function estimateTokens(messages: readonly StoredMessage[]): number {
  return shownMessages(messages).reduce((sum, { content }) => sum + estimateBlocks(content), 0);
}

function estimateBlocks(content: readonly ContentBlock[]): number {
  return content.reduce(
    (sum, block) => sum + (MEDIA.has(block.type) ? estimateMedia(block) : estimateText(block)),
    0,
  );
}

/** A file of text is as long as it is; any other counts by its size on the screen. */
function estimateMedia(block: ContentBlock): number {
  const file = fileSourceOf(block);
  if (file === null || !isTextMediaType(file.media_type)) return MEDIA_TOKENS;
  return Math.ceil(file.bytes / BYTES_A_TOKEN);
}

function estimateText(value: unknown): number {
  return Math.ceil(Buffer.byteLength(JSON.stringify(value)) / BYTES_A_TOKEN);
}

/**
 * Whether the estimate is too near to the window for a decision. Not where the API has refused the conversation, which
 * says more than a count.
 */
export function isUncertain(
  estimate: number,
  { windowTokens }: Pick<Progress, 'windowTokens'>,
  { context_tokens: window }: Pick<AgentConfig, 'context_tokens'>,
): boolean {
  if (windowTokens !== null) return false;
  return estimate >= window * UNCERTAIN_FROM && estimate <= window * UNCERTAIN_TO;
}

/**
 * What must be summarized before the session fits its window again; null where it fits, or where nothing is older
 * than this turn. Whole turns, oldest first, no more than the model can read at once: where that is not enough, the
 * next move finds the rest. `size`: of the session, in tokens, by the API's own count or by the estimate.
 */
export function findOverflow(
  progress: Pick<Progress, 'history' | 'messages' | 'windowTokens' | 'summary'>,
  agent: Pick<AgentConfig, 'context_tokens'>,
  size: number,
): Overflow | null {
  const { history, messages } = progress;
  const [oldest] = history;
  if (oldest === undefined) return null;
  const window = Math.min(progress.windowTokens ?? Infinity, agent.context_tokens);
  if (size <= window) return null;
  const keptTokens = Math.max(0, window * KEPT_SHARE - estimateTokens(messages));
  const covered: StoredMessage[] = [];
  let throughSequence = oldest.turnSequence;
  let left = estimateTokens(history);
  const readable = agent.context_tokens - estimateText(progress.summary ?? '');
  let read = 0;
  for (const turn of turnsOf(history)) {
    const ofTurn = estimateTokens(turn.messages);
    if (left <= keptTokens || (read + ofTurn > readable && covered.length > 0)) break;
    covered.push(...turn.messages);
    throughSequence = turn.sequence;
    read += ofTurn;
    left -= ofTurn;
  }
  return { messages: covered, throughSequence };
}

function turnsOf(history: readonly StoredMessage[]): { sequence: number; messages: StoredMessage[] }[] {
  const turns: { sequence: number; messages: StoredMessage[] }[] = [];
  for (const message of history) {
    const last = turns.at(-1);
    if (last?.sequence === message.turnSequence) last.messages.push(message);
    else turns.push({ sequence: message.turnSequence, messages: [message] });
  }
  return turns;
}
