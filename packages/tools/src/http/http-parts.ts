import type { CallGuard, Egress } from '@turnpike/egress';
import type { ToolSecrets } from '../ports.ts';

/** What HTTP tools need. */
export interface HttpParts {
  egress: Egress;
  guard: CallGuard;
  secrets: ToolSecrets;
  /** How long a call waits for its secrets; not part of the tool's own time. Milliseconds. */
  secretsWaitMs: number;
  /** Bytes of a response that are read although the model is shown less: the whole becomes a file. */
  mostKeptBytes: number;
}
