import type { CodeTool } from './define-tool.ts';

/** A worker that runs in this process. */
export interface RunningWorker {
  /**
   * The tools from now on. Turns that run keep those that they began with. Throws a `TypeError` for two different tools
   * of one name.
   */
  replaceTools(tools: readonly CodeTool[]): void;
  /**
   * Claims nothing more, and resolves when every turn that runs here has ended, or waits without a worker. The process
   * runs on until it is told to stop.
   */
  retire(): Promise<void>;
}
