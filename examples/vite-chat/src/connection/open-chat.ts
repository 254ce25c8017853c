import { Chat } from '@ai-sdk/react';
import {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  type UIMessage,
} from 'ai';
import { Refused } from './explain-error.ts';
import { fetchWhileHeard } from './fetch-while-heard.ts';
import { untilWorthTrying } from './until-worth-trying.ts';

const API = '/api/chat';
const WITHIN_MS = 30_000;

export function openChat(id: string, messages: UIMessage[]): Chat<UIMessage> {
  return new Chat({
    id,
    messages,
    transport: new DefaultChatTransport({ api: API, fetch: fetchWhileHeard }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
}

/** The messages that Turnpike has, asked for until they come. `onTrouble` is told why they do not. */
export async function loadMessages(
  id: string,
  signal: AbortSignal,
  onTrouble: (error: Error) => void = () => undefined,
): Promise<UIMessage[]> {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await ask(`${id}/messages`, 'GET');
      const { messages } = (await response.json()) as { messages: UIMessage[] };
      return messages;
    } catch (error) {
      onTrouble(error instanceof Error ? error : new Error(String(error)));
      await untilWorthTrying(attempt, signal);
    }
  }
}

/** Cancels the turns of the chat. The page learns it from their streams. */
export async function stopTurns(id: string): Promise<void> {
  await ask(`${id}/stop`, 'POST');
}

async function ask(path: string, method: 'GET' | 'POST'): Promise<Response> {
  const response = await fetch(`${API}/${path}`, { method, signal: AbortSignal.timeout(WITHIN_MS) });
  if (!response.ok) throw new Refused(response.status, await response.text());
  return response;
}
