import type { Turn } from '@turnpike/contract';
import { readTurnOfDelivery, type ClaimedDelivery, type Sql } from '@turnpike/store';

/** Bytes of a body. Standard Webhooks: under 20 kB. */
const MAX_BYTES = 20_000;

/** What is left out, one after another, until the body is short enough: clients get the whole turn from the API. */
const REDUCTIONS: readonly ((turn: Turn) => Turn)[] = [
  (turn) => ({ ...turn, overrides: null }),
  (turn) => ({ ...turn, output: null }),
  (turn) => ({ ...turn, output_text: null }),
  (turn) =>
    withCalls(turn, (calls) =>
      calls.map((call) => ({ ...call, input: null, input_text: null, question: null })),
    ),
  (turn) => withCalls(turn, () => []),
  (turn) => ({ ...turn, metadata: {} }),
  (turn) => ({
    ...turn,
    error: turn.error && { ...turn.error, message: turn.error.message.slice(0, 1_000) },
  }),
];

type Calls = NonNullable<Turn['required_action']>['tool_calls'];

function withCalls(turn: Turn, change: (calls: Calls) => Calls): Turn {
  const action = turn.required_action;
  return { ...turn, required_action: action && { ...action, tool_calls: change(action.tool_calls) } };
}

/**
 * The body of a delivery, the same at each attempt: `{ id, type, created_at, data }`. Null where its turn was erased
 * meanwhile.
 */
export async function composeBody(sql: Sql, delivery: ClaimedDelivery): Promise<string | null> {
  const head = { id: delivery.eventId, type: delivery.type, created_at: delivery.createdAt.toISOString() };
  if (delivery.turnId === null) return JSON.stringify({ ...head, data: delivery.payload });
  const read = await readTurnOfDelivery(sql, delivery);
  if (read === null) return null;
  const { sequenceNumber } = read;
  return composeTurnBody({ ...head, sequence_number: sequenceNumber }, read.turn, read.truncated);
}

/** `isTruncated`: a part of the turn was left out already. */
export function composeTurnBody(head: Record<string, unknown>, whole: Turn, isTruncated: boolean): string {
  let turn = whole;
  let truncated = isTruncated;
  const compose = (): string => JSON.stringify({ ...head, data: { turn, truncated } });
  let body = compose();
  for (const reduce of REDUCTIONS) {
    if (Buffer.byteLength(body) < MAX_BYTES) break;
    turn = reduce(turn);
    truncated = true;
    body = compose();
  }
  return body;
}
