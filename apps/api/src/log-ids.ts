import { z } from 'zod';

/** What lines of the log call the things that a request is about. */
export type LogIds = Partial<Record<(typeof NAMES)[number], string>>;

const NAMES = [
  'tenant_id',
  'turn_id',
  'session_id',
  'agent_id',
  'webhook_endpoint_id',
  'delivery_id',
] as const;

/** Parameters of a path that were found to be ids. */
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

/** Of the turn or the session that an answer shows: a submission learns its id only there. */
export function idsInResponse(body: unknown): LogIds {
  const turn = turnSchema.safeParse(body);
  if (turn.success) return { turn_id: turn.data.id, session_id: turn.data.session_id };
  const session = sessionSchema.safeParse(body);
  return session.success ? { session_id: session.data.id } : {};
}
