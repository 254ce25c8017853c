import type { AgentConfig, HistoryMessage, Message } from '@turnpike/contract';
import type { Progress } from './progress.ts';

/** English text has about four characters a token; JSON around it makes this a cautious guess. */
const CHARACTERS_A_TOKEN = 4;
/** This part of the window is left to the turns that are kept as they are. */
const KEPT_SHARE = 0.5;

/** The oldest turns of a session, which the model is no longer shown as they were. */
export interface Overflow {
  messages: HistoryMessage[];
  throughSequence: number;
}

/** A guess, in tokens, good to a third or so: what matters is that it grows with the text. */
export function guessTokens(messages: readonly Message[]): number {
  const characters = messages.reduce((sum, { content }) => sum + JSON.stringify(content).length, 0);
  return Math.ceil(characters / CHARACTERS_A_TOKEN);
}

/**
 * What must be written down before the session fits the agent's window again; null where it fits,
 * or where there is nothing older than this turn. Whole turns, oldest first, no more than the model
 * can read at once: where that is not enough, the next look finds the rest.
 */
export function findOverflow(progress: Progress, agent: AgentConfig): Overflow | null {
  const { history, messages } = progress;
  const [oldest] = history;
  if (oldest === undefined) return null;
  const size = guessTokens(history) + guessTokens(messages);
  if (size <= agent.context_tokens) return null;
  const room = Math.max(0, agent.context_tokens * KEPT_SHARE - guessTokens(messages));
  const covered: HistoryMessage[] = [];
  let throughSequence = oldest.turnSequence;
  let left = guessTokens(history);
  for (const turn of turnsOf(history)) {
    const isTooMuch = guessTokens([...covered, ...turn.messages]) > agent.context_tokens;
    if (left <= room || (isTooMuch && covered.length > 0)) break;
    covered.push(...turn.messages);
    throughSequence = turn.sequence;
    left -= guessTokens(turn.messages);
  }
  return { messages: covered, throughSequence };
}

function turnsOf(history: readonly HistoryMessage[]): { sequence: number; messages: HistoryMessage[] }[] {
  const turns: { sequence: number; messages: HistoryMessage[] }[] = [];
  for (const message of history) {
    const last = turns.at(-1);
    if (last?.sequence === message.turnSequence) last.messages.push(message);
    else turns.push({ sequence: message.turnSequence, messages: [message] });
  }
  return turns;
}
