import { createEgress } from '@turnpike/egress';
import type { RegisteredTool, ToolCall, ToolCallContext, ToolConfig, ToolOutput } from '@turnpike/contract';
import type { ToolRunner, ToolRunnerSettings } from '../create-tool-runner.ts';
import { recordingLogger } from './recording-logger.ts';
import { startToolServer, type ToolServer } from './tool-server.ts';
import { agentWith, callOf, loggedTo, registered, scopeOf, turnContext } from './test-call.ts';
import { testRunner } from './test-runner.ts';

/** An HTTP tool named `tool` on a real server, and a runner that calls it as the loop does. */
export interface HttpToolTest {
  server: ToolServer;
  lines: string[];
  runner: ToolRunner;
  /** The tool's current configuration. */
  tool: RegisteredTool;
  configure(config: Partial<ToolConfig>): void;
  /** Plans and runs one call with this input. */
  call(input?: unknown, context?: ToolCallContext): { call: ToolCall; output: Promise<ToolOutput> };
  /** Asks how a call ended. */
  reconcile(call: ToolCall, context?: ToolCallContext): Promise<ToolOutput | null>;
}

export async function startHttpToolTest(settings: Partial<ToolRunnerSettings> = {}): Promise<HttpToolTest> {
  const server = await startToolServer();
  const { logger, lines } = recordingLogger();
  const runner = testRunner({ egress: createEgress({ allow: ['127.0.0.1'] }), ...settings });
  const agent = agentWith({ type: 'http', name: 'tool', requires_approval: false });
  const scope = () => scopeOf(agent, [harness.tool]);
  const harness: HttpToolTest = {
    server,
    lines,
    runner,
    tool: registered({ url: `${server.origin}/run` }),
    configure(config) {
      harness.tool = registered({ url: `${server.origin}/run`, ...config });
    },
    call(input = {}, context = turnContext()) {
      const { effect, on_unknown: onUnknown } = harness.tool.config;
      const call = { ...callOf('tool', input), effect, onUnknown };
      return { call, output: runner.run(scope(), call, loggedTo(logger, context, call)) };
    },
    reconcile: (call, context = turnContext()) =>
      runner.reconcile(scope(), call, loggedTo(logger, context, call)),
  };
  return harness;
}
