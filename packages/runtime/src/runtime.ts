import type { Backplane } from '@turnpike/backplane';
import type { Files } from '@turnpike/files';
import type { Database, SecretBox } from '@turnpike/store';
import type { Logger, Metrics, Readiness, Report, Tracing } from '@turnpike/telemetry';
import type { Dispatcher } from '@turnpike/turns';

/** What the API and the worker are made of alike. */
export interface Runtime {
  readonly logger: Logger;
  /** Logs repeated errors of a kind as one line every ten seconds. */
  readonly warn: Report;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly database: Database;
  readonly secretBox: SecretBox;
  readonly backplane: Backplane;
  readonly dispatcher: Dispatcher;
  readonly files: Files;
  readonly readiness: Readiness;
  /** A pass over the tenant's batches soon: one was added or changed. */
  nudgeBatches(tenantId: string): void;
  /** Schedules are looked at soon: one was added or changed. */
  nudgeSchedules(): void;
  /** True from the first SIGTERM or SIGINT on. */
  isStopping(): boolean;
  /** Serves `/metrics` and the probes on `METRICS_PORT`; resolves with the port, or null where none is set. */
  serveMetrics(): Promise<number | null>;
  /**
   * Ends the start: from now on a signal stops the program, then the runtime. Tells the parent process, which may
   * send a signal at once.
   */
  ready(program: RunningProgram): void;
}

export interface RunningProgram {
  /** Sent to the parent process, where there is one. */
  hello: { type: string; port?: number };
  /** Between SIGTERM and `stop`, while the process reports that it is not ready. Milliseconds; default: 0. */
  shutdownDelayMs?: number;
  /** The longest that `stop` and closing the runtime may take. Milliseconds. */
  shutdownMs: number;
  /** Finishes or hands back the work in progress. Nothing of the runtime is closed before it resolves. */
  stop(): Promise<void>;
}
