export {
  createToolRunner,
  type BuiltinToolRunner,
  type ToolLimits,
  type ToolRunnerSettings,
} from './create-tool-runner.ts';
export { currentTime } from './current-time.ts';
export { httpRequest } from './http-request.ts';
export { defineTool, textOutput, type Tool, type ToolContext } from './tool.ts';
