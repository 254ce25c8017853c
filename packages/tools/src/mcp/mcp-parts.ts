import type { McpListStore } from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import type { ReadLimits } from '../limits.ts';
import type { ToolSecrets } from '../ports.ts';
import type { InputSchemas } from '../schema/input-schemas.ts';

/** What the tools of MCP servers need. */
export interface McpParts {
  /** A `fetch` through the guard of addresses; its responses are streams of bounded length. */
  fetch: typeof globalThis.fetch;
  guard: CallGuard;
  secrets: ToolSecrets;
  lists: McpListStore;
  schemas: InputSchemas;
  logger: Logger;
  limits: ReadLimits;
}
