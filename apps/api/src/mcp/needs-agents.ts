import { z } from 'zod';

/** Tools that are there whatever agents there are. */
export const TURN_TOOLS = ['get_turn', 'cancel_turn'] as const;

const messageSchema = z.object({ method: z.string(), params: z.unknown().optional() });
const turnCallSchema = z.object({ name: z.enum(TURN_TOOLS) });

/** Whether the response to the body of a request depends on which agents there are; true also for one that is no message. */
export function needsAgents(body: unknown): boolean {
  const message = messageSchema.safeParse(body);
  if (!message.success) return true;
  const { method, params } = message.data;
  return method === 'tools/list' || (method === 'tools/call' && !turnCallSchema.safeParse(params).success);
}
