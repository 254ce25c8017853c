import type { AgentConfig, ContentBlock, StoredMessage } from '@turnpike/contract';
import type { Progress } from './progress.ts';
import { shownMessages } from './shown-messages.ts';

/** A token is about four letters of English and one character of Chinese: three bytes of either. */
const BYTES_A_TOKEN = 3;
/** An image or a page of a document counts by its size on the screen, not in bytes. */
const MEDIA_TOKENS = 1_600;
const MEDIA = new Set(['image', 'document']);

/** This part of the window is for the turns that are kept as they are. */
const KEPT_SHARE = 0.5;

/** The oldest turns of a session, which a summary is to replace. */
export interface Overflow {
  messages: StoredMessage[];
  throughSequence: number;
}

/** An estimate, within about a third: what matters is that it grows with the text. */
export function estimateTokens(messages: readonly StoredMessage[]): number {
  return shownMessages(messages).reduce((sum, { content }) => sum + estimateBlocks(content), 0);
}

function estimateBlocks(content: readonly ContentBlock[]): number {
  return content.reduce(
    (sum, block) => sum + (MEDIA.has(block.type) ? MEDIA_TOKENS : estimateText(block)),
    0,
  );
}

function estimateText(value: unknown): number {
  return Math.ceil(Buffer.byteLength(JSON.stringify(value)) / BYTES_A_TOKEN);
}

/**
 * What must be summarized before the session fits its window again; null where it fits, or where nothing is older
 * than this turn. Whole turns, oldest first, no more than the model can read at once: where that is not enough, the
 * next move finds the rest.
 */
export function findOverflow(
  progress: Pick<Progress, 'history' | 'messages' | 'windowTokens' | 'summary'>,
  agent: Pick<AgentConfig, 'context_tokens'>,
): Overflow | null {
  const { history, messages } = progress;
  const [oldest] = history;
  if (oldest === undefined) return null;
  const window = Math.min(progress.windowTokens ?? Infinity, agent.context_tokens);
  const size = estimateTokens(history) + estimateTokens(messages);
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
