import type { CallGuard } from '@turnpike/egress';
import type { Logger, Tracing } from '@turnpike/telemetry';
import type { IsolatedTools } from '../isolate/isolated-tools.ts';
import type { SendRequest } from './tool-fetch.ts';

/** What the tools of a worker's own code run with. */
export interface CodeParts {
  /** The semaphore of each tool, for each tenant. */
  guard: CallGuard;
  /** Reads a tenant's secret; null where there is none. Throws `RetryableError` where the keys are away. */
  readSecret(
    tenantId: string,
    name: string,
  ): Promise<{ value: string; allowedHosts: string[] | null } | null>;
  /** Sends through the guard of addresses. */
  send: SendRequest;
  isolated: IsolatedTools;
  logger: Logger;
  tracing: Tracing;
}
