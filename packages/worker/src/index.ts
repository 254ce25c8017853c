export {
  defineAgent,
  type AgentDefinition,
  type AgentSettings,
  type OtherTool,
  type SubAgentTool,
} from './define-agent.ts';
export { defineConfig, type Config, type ConfigSettings } from './define-config.ts';
export {
  defineMcpServer,
  type McpServerDefinition,
  type McpServerSettings,
  type McpToolOverride,
} from './define-mcp-server.ts';
export {
  defineTool,
  type CodeTool,
  type Isolation,
  type OnUnknown,
  type OutputBlock,
  type Reconciled,
  type ToolEffect,
  type ToolReturn,
  type ToolSettings,
} from './define-tool.ts';
export type { RunningWorker } from './running-worker.ts';
export { startWorker, type WorkerSettings } from './start-worker.ts';
export type {
  CodeToolCall,
  Kept,
  Question,
  StepContext,
  StepEffect,
  StepSettings,
  ToolLog,
} from './tool-call.ts';
export { FailTurnError, RetryLaterError, ToolError, UnknownOutcomeError } from './tool-error.ts';
export type {
  InputOf,
  JsonSchema,
  ObjectSchema,
  OutputOf,
  SchemaIssue,
  SchemaResult,
  ToolSchema,
} from './tool-schema.ts';
