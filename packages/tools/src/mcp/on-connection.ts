import { ProtocolError, SdkHttpError } from '@modelcontextprotocol/client';
import type { ToolCallContext } from '@turnpike/contract';
import { limitCall } from '../limit-call.ts';
import type { CallParts } from './call-parts.ts';
import type { McpConnection } from './mcp-connection.ts';
import type { McpSession } from './mcp-session.ts';
import type { OpenedServer } from './open-server.ts';

/** The end of one use of a connection. */
export interface UseLimit {
  /** Aborts at the deadline, or with the call's signal. */
  signal: AbortSignal;
  leftMs: number;
}

/**
 * Takes a connection, uses it, and gives it back where it is still good. A session that its server no longer knows is
 * begun anew, once: what was sent in it was not read; one that is to be resumed is not. Throws what connecting and `use` throw.
 */
export async function onConnection<Result>(
  opened: OpenedServer,
  context: ToolCallContext,
  { pool }: Pick<CallParts, 'pool'>,
  leftMs: number,
  use: (connection: McpConnection, limit: UseLimit) => Promise<Result>,
  resume: McpSession | null = null,
): Promise<Result> {
  const limit = limitCall(context.signal, leftMs);
  // What is awaited here ends with the signal.
  limit.ended.catch(() => undefined);
  try {
    for (let fresh = false; ; fresh = true) {
      const take = { signal: limit.signal, timeoutMs: leftMs, fresh, resume };
      const connection = await pool.take(opened, context, take);
      let isGood = false;
      try {
        const result = await use(connection, { signal: limit.signal, leftMs });
        isGood = true;
        return result;
      } catch (error) {
        isGood = error instanceof ProtocolError;
        if (resume !== null || !isForgotten(error, connection)) throw error;
      } finally {
        if (isGood) pool.giveBack(connection, opened, context);
        else pool.discard(connection);
      }
    }
  } finally {
    limit.release();
  }
}

/** Whether the server has ended the session of a connection that was used before. */
export function isForgotten(error: unknown, { reused, transport }: McpConnection): boolean {
  return reused && transport.sessionId !== undefined && error instanceof SdkHttpError && error.status === 404;
}
