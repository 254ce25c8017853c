export { BUILTIN_NAMES, createBuiltins } from './builtins.ts';
export { createToolRunner, type ToolRunner, type ToolRunnerSettings } from './create-tool-runner.ts';
export type { FindTool, GivenInput, GivenTool, PreparedCall, ReadyCall } from './given-tool.ts';
export type { ToolLimits } from './limits.ts';
export type { ToolSecrets } from './ports.ts';
export { InputSchemas } from './schema/input-schemas.ts';
export { type Tool, type ToolContext } from './tool.ts';
