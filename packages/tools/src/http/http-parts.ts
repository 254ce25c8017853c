import type { CallGuard, Egress } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import type { ToolSecrets } from '../ports.ts';

/** What HTTP tools work with. */
export interface HttpParts {
  egress: Egress;
  guard: CallGuard;
  secrets: ToolSecrets;
  logger: Logger;
  /** Milliseconds at most that a call waits for its secrets; not part of the time that the tool has. */
  secretsWaitMs: number;
}
