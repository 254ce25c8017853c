import type { CallToolResult } from '@modelcontextprotocol/server';
import { isFinal, type Turn } from '@turnpike/contract';

/** A turn as the result of a tool call. */
export function describeTurn(turn: Turn): CallToolResult {
  const { id, session_id: sessionId, status, output_text: text, error } = turn;
  const structuredContent = {
    turn_id: id,
    session_id: sessionId,
    status,
    output_text: text,
    error: error === null ? null : `${error.code}: ${error.message}`,
  };
  const state = isFinal(status)
    ? `The turn ${id} is ${status}.`
    : status === 'requires_action'
      ? `The turn ${id} waits for a person, who must act in Turnpike. Ask again later with get_turn.`
      : `The turn ${id} is ${status}. Ask for it with get_turn.`;
  const content = [text, structuredContent.error, state].filter((each) => each !== null && each !== '');
  return {
    isError: status === 'failed',
    structuredContent,
    content: content.map((each) => ({ type: 'text', text: each ?? '' })),
  };
}
