import Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSessionEvent } from '@anthropic-ai/sdk/resources/beta/sessions/events';

type Stream = Awaited<ReturnType<Anthropic['beta']['sessions']['events']['stream']>>;
export type StreamedEvent = Stream extends AsyncIterable<infer Event> ? Event : never;
export type ListedEvent = BetaManagedAgentsSessionEvent;

/** The official client, as its readers are told to make one. */
export function connectClaude(
  at: { url: string; apiKey: string },
  options: { maxRetries?: number } = {},
): Anthropic {
  return new Anthropic({ baseURL: `${at.url}/claude`, apiKey: at.apiKey, maxRetries: 0, ...options });
}

export const says = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});

/** Reads a stream up to the first event that satisfies `isLast`, which is the last one returned. */
export async function readUntil(
  stream: Stream,
  isLast: (event: StreamedEvent) => boolean,
  onEvent: (event: StreamedEvent) => Promise<void> | void = () => undefined,
): Promise<StreamedEvent[]> {
  const events: StreamedEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    await onEvent(event);
    if (isLast(event)) return events;
  }
  throw new Error(`The stream ended after ${JSON.stringify(events.map(({ type }) => type))}.`);
}

export const isIdle = ({ type }: StreamedEvent): boolean => type === 'session.status_idle';

/** Every event of a session, by its pages. */
export async function listAll(
  client: Anthropic,
  sessionId: string,
  query: Anthropic.Beta.Sessions.EventListParams = {},
): Promise<ListedEvent[]> {
  const events: ListedEvent[] = [];
  for await (const event of client.beta.sessions.events.list(sessionId, query)) events.push(event);
  return events;
}

/** The texts of the agent's messages. */
export function agentTexts(events: readonly (StreamedEvent | ListedEvent)[]): string[] {
  return events.flatMap((event) =>
    event.type === 'agent.message'
      ? [event.content.map((block) => (block.type === 'text' ? block.text : '')).join('')]
      : [],
  );
}
