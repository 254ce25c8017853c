import * as ai from 'ai';
import * as earlier from 'ai-6';
import type { ChatState, UIMessage } from 'ai';

/** The newest major version, and the one before. What is used of them has the same types in both. */
export const VERSIONS = { ai, 'ai-6': earlier as unknown as typeof ai };
export type Library = typeof ai;

export interface ChatOptions {
  url: string;
  apiKey: string;
  id?: string;
  body?: object;
  messages?: UIMessage[];
  /** Sends responses to calls by itself, as pages do. */
  isAutomatic?: boolean;
  fetch?: typeof fetch;
}

class PlainState implements ChatState<UIMessage> {
  status: ChatState<UIMessage>['status'] = 'ready';
  error: Error | undefined;
  messages: UIMessage[];

  constructor(messages: UIMessage[]) {
    this.messages = messages;
  }

  pushMessage = (message: UIMessage): void => {
    this.messages = [...this.messages, message];
  };
  popMessage = (): void => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index: number, message: UIMessage): void => {
    this.messages = this.messages.with(index, structuredClone(message));
  };
  snapshot = <Value>(value: Value): Value => structuredClone(value);
}

/** A chat as `useChat` has one, without a page. */
export function openChat(library: Library, options: ChatOptions): ai.AbstractChat<UIMessage> {
  const { url, apiKey, id, body, messages = [], isAutomatic = false } = options;
  const transport = new library.DefaultChatTransport<UIMessage>({
    api: `${url}/ai/chat`,
    headers: { authorization: `Bearer ${apiKey}` },
    ...(body === undefined ? {} : { body }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  class PlainChat extends library.AbstractChat<UIMessage> {}
  return new PlainChat({
    ...(id === undefined ? {} : { id }),
    transport,
    state: new PlainState(messages),
    ...(isAutomatic
      ? {
          sendAutomaticallyWhen: (given: { messages: UIMessage[] }) =>
            library.lastAssistantMessageIsCompleteWithToolCalls(given) ||
            library.lastAssistantMessageIsCompleteWithApprovalResponses(given),
        }
      : {}),
  });
}

export const textOfMessage = ({ parts }: UIMessage): string =>
  parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
