import { newId, type CompletedStep, type EventType, type NewEvent, type Outcome } from '@turnpike/contract';
import type { ToolCall, ToolReceipt, ToolsChanged, ToolStep } from '@turnpike/contract';

/** Events name what happened; the content is stored once, elsewhere. */
function event(type: EventType, payload: Record<string, unknown>): NewEvent {
  return { id: newId('event'), type, payload };
}

export const stepStarted = (index: number): NewEvent => event('step.started', { index });

export const stepRestarted = (index: number): NewEvent => event('step.restarted', { index });

export const stepCompleted = (index: number, step: CompletedStep): NewEvent =>
  event('step.completed', { index, step_id: step.id, type: step.type, stop_reason: step.stopReason });

export const toolStarted = (call: ToolCall): NewEvent =>
  event('tool.started', { tool_call_id: call.id, tool_use_id: call.toolUseId, name: call.name });

export const toolStepChanged = (call: ToolCall, { name, effect, status }: ToolStep): NewEvent =>
  status === 'started'
    ? event('tool.step_started', { tool_call_id: call.id, name, effect })
    : event('tool.step_completed', { tool_call_id: call.id, name, effect, status });

export const toolSuspended = (call: ToolCall): NewEvent => event('tool.suspended', { tool_call_id: call.id });

export const toolDeferred = (call: ToolCall, retryAfterMs: number): NewEvent =>
  event('tool.deferred', { tool_call_id: call.id, retry_after_ms: retryAfterMs });

export const toolCompleted = (receipt: ToolReceipt): NewEvent =>
  event('tool.completed', { tool_call_id: receipt.id, status: receipt.status, is_error: receipt.isError });

export const turnEnded = (outcome: Outcome): NewEvent => event(`turn.${outcome.status}`, {});

export const inputAdded = (): NewEvent => event('input.added', {});

export const toolsChanged = (change: ToolsChanged): NewEvent => event('mcp.tools_changed', { ...change });

export const actionRequired = (calls: readonly ToolCall[], timeoutMs: number): NewEvent =>
  event('turn.requires_action', {
    timeout_ms: timeoutMs,
    // What each waits for is stored only until it has a result.
    tool_calls: calls.map(({ id, awaiting, question }) => ({ id, awaiting, question })),
  });
