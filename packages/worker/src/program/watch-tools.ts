import type { ToolRunner } from '@turnpike/agent';
import {
  isOfServer,
  OutcomeUnknownError,
  TurnpikeError,
  type ToolCall,
  type ToolOutput,
  type ToolScope,
  type TurnContext,
} from '@turnpike/contract';
import type { Tracing } from '@turnpike/telemetry';
import type { TurnMetrics } from './turn-metrics.ts';

/** The same tools; their calls are counted, and traced by the GenAI conventions of OpenTelemetry. */
export function watchTools(
  tools: ToolRunner,
  { metrics, tracing }: { metrics: TurnMetrics; tracing: Tracing },
): ToolRunner {
  const watch = async <Output extends ToolOutput | null>(
    operation: 'execute_tool' | 'reconcile_tool',
    scope: ToolScope,
    call: ToolCall,
    { traceparent }: TurnContext,
    work: () => Promise<Output>,
  ): Promise<Output> => {
    // The model made up a name that is none of the agent's tools.
    const kind = kindOf(scope, call.name);
    const name = kind === 'none' ? 'unknown' : call.name;
    const span = tracing.start(`${operation} ${name}`, {
      kind: 'internal',
      parent: traceparent,
      attributes: {
        'gen_ai.operation.name': operation,
        'gen_ai.tool.name': name,
        'gen_ai.tool.type': 'function',
        'gen_ai.tool.call.id': call.id,
        'turnpike.tool.kind': kind,
        'turnpike.tool.effect': call.effect,
      },
    });
    const began = performance.now();
    const count = (outcome: string): void => {
      metrics.toolCalls.inc({ kind, outcome });
      metrics.toolSeconds.observe({ kind }, (performance.now() - began) / 1000);
    };
    try {
      const output = await work();
      count(output?.isError ? 'error' : 'ok');
      span.end(output?.isError ? 'tool_error' : undefined);
      return output;
    } catch (error) {
      count(error instanceof OutcomeUnknownError ? 'unknown' : 'stopped');
      span.end(error instanceof TurnpikeError ? error.code : 'internal_error');
      throw error;
    }
  };
  return {
    open: (scope, context) => tools.open(scope, context),
    declare: (scope) => tools.declare(scope),
    planOf: (scope, call) => tools.planOf(scope, call),
    run: (scope, call, context) =>
      watch('execute_tool', scope, call, context, () => tools.run(scope, call, context)),
    reconcile: (scope, call, context) =>
      watch('reconcile_tool', scope, call, context, () => tools.reconcile(scope, call, context)),
    childOf: (scope, call) => tools.childOf(scope, call),
    outputOfChild: (call, child) => tools.outputOfChild(call, child),
  };
}

/** `none` for a name that is none of the agent's tools. */
function kindOf({ agent }: ToolScope, name: string): string {
  const named = agent.tools.find((tool) =>
    tool.type === 'mcp' ? isOfServer(tool.server, name) : tool.name === name,
  );
  return named?.type ?? 'none';
}
