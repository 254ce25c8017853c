import type { CodeTool } from './define-tool.ts';

/** A worker that runs in this process. */
export interface RunningWorker {
  /**
   * The tools from now on. Turns that run keep those that they began with. Throws a `TypeError` for two different tools
   * of one name.
   */
  replaceTools(tools: readonly CodeTool[]): void;
}
