import type { RequiredAction, Turn } from '@turnpike/contract';
import type { DialectResult, UseCases } from '@turnpike/dialect-base';
import { ChatEncoder } from './chat-encoder.ts';
import { readSource } from './chat-source.ts';

const PAGE = 100;

/** That a turn began to wait for its client, as an event says it. */
export interface Wait {
  sequenceNumber: number;
  action: RequiredAction;
}

/** The waits of a turn that its events tell, in order, up to the last event that was read. */
interface ToldWaits {
  waits: readonly Wait[];
  lastRead: number;
}

/** All waits of a turn. `told`: those that are known, after which it goes on. */
export async function waitsOf(
  { turns }: UseCases,
  turnId: string,
  told: ToldWaits = { waits: [], lastRead: 0 },
): Promise<ToldWaits> {
  const waits = [...told.waits];
  for (let lastRead = told.lastRead; ;) {
    const facts = await turns.facts(turnId, { after: lastRead, limit: PAGE });
    for (const fact of facts)
      if (fact.type === 'turn.requires_action')
        waits.push({ sequenceNumber: fact.sequence_number, action: fact.required_action });
    lastRead = facts.at(-1)?.sequence_number ?? lastRead;
    if (facts.length < PAGE) return { waits, lastRead };
  }
}

const STREAM_HEADERS = { 'x-vercel-ai-ui-message-stream': 'v1' };

/**
 * The stream of a turn from its start, or from what was done after a wait. Waits that were answered are passed; it ends
 * with the first that was not.
 */
export async function followTurn(
  useCases: UseCases,
  turnId: string,
  origin: string,
  after?: Wait,
): Promise<DialectResult> {
  const earlier = await waitsOf(useCases, turnId);
  const turn = await useCases.turns.read(turnId);
  // What the turn waited for before it was read was answered, unless it waits: for the newest that there is by now.
  const answered =
    turn.status === 'requires_action'
      ? (await waitsOf(useCases, turnId, earlier)).waits.at(-2)
      : earlier.waits.at(-1);
  const from = after?.sequenceNumber ?? 0;
  const passed = Math.max(from, answered?.sequenceNumber ?? 0);
  const encoder = new ChatEncoder(await readSource(useCases, turn, origin), { from, passed });
  return { status: 200, headers: STREAM_HEADERS, follow: { turnId, encoder } };
}

/** The oldest turn of a session that has not ended; null where it is idle. */
export async function openTurnOf({ turns }: UseCases, sessionId: string): Promise<Turn | null> {
  const open = await openTurnsOf({ turns }, sessionId);
  return open.at(-1) ?? null;
}

/** Those that have not ended, the newest first, a hundred at most. */
export function openTurnsOf({ turns }: Pick<UseCases, 'turns'>, sessionId: string): Promise<Turn[]> {
  return turns.list(
    { sessionId, statuses: ['queued', 'in_progress', 'requires_action', 'cancelling'] },
    { limit: PAGE },
  );
}
