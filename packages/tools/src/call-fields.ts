import type { ToolCallContext } from '@turnpike/contract';
import type { LogFields } from '@turnpike/telemetry';

/** Which call it was, on every line of the log about it. */
export function callFields(tool: string, callId: string, context: ToolCallContext): LogFields {
  const { turnId, tenantId, sessionId, epoch } = context;
  return { turn_id: turnId, tenant_id: tenantId, session_id: sessionId, epoch, tool, tool_call_id: callId };
}
