import { OAuthClientFlowError, ProtocolError, SdkHttpError } from '@modelcontextprotocol/client';
import { CallSuspendedError, LeaseLostError, TerminalError } from '@turnpike/contract';
import { EgressRefusedError } from '@turnpike/egress';

/** Whether an outcome says that a server is down, and not that a call was wrong. Null: it says nothing. */
export function isServerFailure(outcome: { error: unknown } | { result: unknown }): boolean | null {
  if ('result' in outcome) return false;
  const { error } = outcome;
  if (error instanceof CallSuspendedError) return false;
  if (error instanceof LeaseLostError || error instanceof TerminalError) return null;
  if (error instanceof SdkHttpError) return error.status >= 500;
  if (error instanceof OAuthClientFlowError || error instanceof ProtocolError) return false;
  return !(error instanceof EgressRefusedError);
}
