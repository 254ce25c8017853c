export { createToolRunner, type ToolRunner, type ToolRunnerSettings } from './create-tool-runner.ts';
export { currentTime } from './current-time.ts';
export { httpRequest } from './http-request.ts';
export type { ToolLimits } from './limits.ts';
export type { ToolSecrets } from './ports.ts';
export { checkInputSchema } from './schema/check-input-schema.ts';
export { defineTool, textOutput, type Tool, type ToolContext } from './tool.ts';
