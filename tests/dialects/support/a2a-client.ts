import { randomUUID } from 'node:crypto';
import { Message, SendMessageRequest, type StreamResponse, type Task } from '@a2a-js/sdk';
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
  type Client,
} from '@a2a-js/sdk/client';

export const BINDINGS = ['JSONRPC', 'HTTP+JSON'] as const;
export type Binding = (typeof BINDINGS)[number];

/** A client of the official SDK, as its readers are told to make one: only `fetch` adds the key. */
export async function connect(
  at: { url: string; apiKey: string },
  agentId: string,
  binding: Binding,
): Promise<Client> {
  const fetchImpl: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${at.apiKey}`);
    return fetch(input, { ...init, headers });
  };
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl }), new RestTransportFactory({ fetchImpl })],
    preferredTransports: [binding],
    // Without the key: the card is public.
    cardResolver: new DefaultAgentCardResolver(),
  });
  return new ClientFactory(options).createFromUrl(`${at.url}/a2a/${agentId}/`);
}

/** A request that sends a text, or these parts; `more` are other fields of the message. */
export function sending(
  content: string | object[],
  more: Record<string, unknown> = {},
  configuration: Record<string, unknown> = {},
): SendMessageRequest {
  const parts = typeof content === 'string' ? [{ text: content }] : content;
  const message = { messageId: randomUUID(), role: 'ROLE_USER', parts, ...more };
  return SendMessageRequest.fromJSON({ message, configuration });
}

/** The text of a task's artifacts, by their ids. */
export function textsOf(task: Task): Record<string, string> {
  return Object.fromEntries(task.artifacts.map(({ artifactId, parts }) => [artifactId, textOfParts(parts)]));
}

export function textOfParts(parts: Message['parts']): string {
  return parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('');
}

/** What a client shows of a task that it follows: it keeps to the protocol's rules, and notes what breaks them. */
export class ShownTask {
  texts: Record<string, string> = {};
  states: number[] = [];
  chunks = 0;
  readonly mistakes: string[] = [];
  #streamBegins = true;

  /** The next member comes from another stream. */
  reconnect(): void {
    this.#streamBegins = true;
  }

  take({ payload }: StreamResponse): void {
    if ((payload?.$case === 'task') !== this.#streamBegins)
      this.mistakes.push('A stream begins with its task.');
    this.#streamBegins = false;
    if (payload?.$case === 'task') {
      this.texts = textsOf(payload.value);
      this.#enter(payload.value.status?.state);
    } else if (payload?.$case === 'statusUpdate') {
      this.#enter(payload.value.status?.state);
    } else if (payload?.$case === 'artifactUpdate') {
      const { artifact, append } = payload.value;
      if (artifact === undefined) return;
      this.chunks += 1;
      const known = this.texts[artifact.artifactId];
      if (append && known === undefined) this.mistakes.push(`Nothing to append to: ${artifact.artifactId}`);
      this.texts[artifact.artifactId] = (append ? (known ?? '') : '') + textOfParts(artifact.parts);
    }
  }

  #enter(state: number | undefined): void {
    if (state !== undefined && this.states.at(-1) !== state) this.states.push(state);
  }
}
