import type { CallGuard, Egress } from '@turnpike/egress';
import type { ToolSecrets } from '../ports.ts';

/** What HTTP tools need. */
export interface HttpParts {
  egress: Egress;
  guard: CallGuard;
  secrets: ToolSecrets;
  /** How long a call waits for its secrets; not part of the tool's own time. Milliseconds. */
  secretsWaitMs: number;
}
