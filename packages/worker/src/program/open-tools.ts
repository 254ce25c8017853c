import type { ToolRunner } from '@turnpike/agent';
import { createCallGuard, createEgress, type CallGuard } from '@turnpike/egress';
import type { Runtime } from '@turnpike/runtime';
import { createMemoryStore } from '@turnpike/store';
import { createBuiltins, createToolRunner, InputSchemas } from '@turnpike/tools';
import type { Config } from './config.ts';

/** `timeout_ms` of a tool is at most this. */
const LONGEST_CALL_MS = 600_000;

/** A tool that hangs may hold this share of the worker's concurrency, or this many slots where they are more. */
const SHARE_OF_ONE_TOOL = 0.5;
const LEAST_SLOTS = 16;
/** How long a call waits for a slot. */
const MAX_WAIT_MS = 1_000;

export interface Tools {
  runner: ToolRunner;
  guard: CallGuard;
  close(): Promise<void>;
}

/** The tools that all turns of this worker call, behind one guard. */
export function openTools({ database, secretBox, logger, warn }: Runtime, config: Config): Tools {
  // Each tool has its own deadline; the limit here is the longest that a tool may ask for.
  const egress = createEgress({
    allow: config.egressAllow,
    deadlineMs: LONGEST_CALL_MS,
    idleTimeoutMs: LONGEST_CALL_MS,
  });
  const slots = Math.max(LEAST_SLOTS, Math.floor(config.concurrency * SHARE_OF_ONE_TOOL));
  const guard = createCallGuard({ slots, maxWaiting: slots, maxWaitMs: MAX_WAIT_MS });
  const schemas = new InputSchemas(warn('The input of a tool could not be checked.'));
  const runner = createToolRunner({
    builtins: createBuiltins({ egress }),
    findCode: () => null,
    egress,
    guard,
    secrets: secretBox,
    memory: createMemoryStore(database),
    logger,
    schemas,
  });
  return { runner, guard, close: () => schemas.close() };
}
