import { z } from 'zod';

/** The ids of a request, by their names in log lines. */
export type LogIds = Partial<Record<(typeof NAMES)[number], string>>;

const NAMES = [
  'tenant_id',
  'turn_id',
  'session_id',
  'agent_id',
  'webhook_endpoint_id',
  'delivery_id',
] as const;

/** The ids among the parameters of a path. */
export function idsInPath(params: Record<string, unknown>): LogIds {
  const ids: LogIds = {};
  for (const name of NAMES) {
    const id = params[name];
    if (typeof id === 'string') ids[name] = id;
  }
  return ids;
}

const turnSchema = z.object({ object: z.literal('turn'), id: z.string(), session_id: z.string() });
const sessionSchema = z.object({ object: z.literal('session'), id: z.string() });

/** The ids of the turn or the session in a response: a submit learns them only there. */
export function idsInResponse(body: unknown): LogIds {
  const turn = turnSchema.safeParse(body);
  if (turn.success) return { turn_id: turn.data.id, session_id: turn.data.session_id };
  const session = sessionSchema.safeParse(body);
  return session.success ? { session_id: session.data.id } : {};
}
