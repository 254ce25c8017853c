import type { Effect, McpListedTool, McpOverride, McpServerConfig, OnUnknown } from '@turnpike/contract';

/** How calls of one tool of an MCP server are treated. */
export interface McpPlan {
  effect: Exclude<Effect, 'reconcile'>;
  onUnknown: OnUnknown;
  needsApproval: boolean;
  timeoutMs: number;
}

/**
 * What the server's configuration says of a tool comes first, then what the agent says, then the annotations, then the
 * configuration's defaults. A hint that makes a call stricter counts also where the others are ignored.
 */
export function planOfTool(
  tool: McpListedTool,
  config: McpServerConfig,
  overrides: Readonly<Record<string, McpOverride>> = {},
): McpPlan {
  const admin = ownOf(config.overrides, tool.name);
  const agent = ownOf(overrides, tool.name);
  const { annotations } = tool;
  const isTrusted = config.annotations === 'trust';
  const hinted = isTrusted ? hintedEffect(annotations) : null;
  const destroys = annotations.destructiveHint === true && !(isTrusted && annotations.readOnlyHint === true);
  return {
    effect: admin.effect ?? agent.effect ?? hinted ?? config.effect,
    onUnknown: admin.on_unknown ?? agent.on_unknown ?? config.on_unknown,
    needsApproval:
      admin.requires_approval ?? agent.requires_approval ?? (config.requires_approval || destroys),
    timeoutMs: admin.timeout_ms ?? agent.timeout_ms ?? config.timeout_ms,
  };
}

function hintedEffect(hints: McpListedTool['annotations']): 'read' | 'idempotent' | null {
  if (hints.readOnlyHint === true) return 'read';
  return hints.idempotentHint === true ? 'idempotent' : null;
}

/** A server chooses the names of its tools: `constructor` is one. */
function ownOf(overrides: Readonly<Record<string, McpOverride>>, name: string): McpOverride {
  return (Object.hasOwn(overrides, name) ? overrides[name] : undefined) ?? {};
}
