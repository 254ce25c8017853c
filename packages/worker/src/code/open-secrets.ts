import { setTimeout as delay } from 'node:timers/promises';
import { RetryableError, type ToolCallContext } from '@turnpike/contract';
import { hideValue } from '@turnpike/telemetry';
import type { CodeTool } from '../define-tool.ts';
import type { CodeParts } from './code-parts.ts';
import type { BoundSecret } from './tool-fetch.ts';

/** How long a call waits where the master keys are unavailable. */
const WAIT_MS = 10_000;
const PAUSE_MS = 250;

export type OpenedSecrets = { values: Record<string, string>; bound: BoundSecret[] } | { refusal: string };

/**
 * Opens the secrets that a tool names. Resolves with a message for the model where one does not exist.
 * Throws `RetryableError` where they are unavailable now, and the signal's reason.
 */
export async function openSecrets(
  tool: CodeTool,
  { tenantId, signal }: Pick<ToolCallContext, 'tenantId' | 'signal'>,
  { readSecret }: Pick<CodeParts, 'readSecret'>,
): Promise<OpenedSecrets> {
  const values: Record<string, string> = {};
  const bound: BoundSecret[] = [];
  const end = performance.now() + WAIT_MS;
  for (const name of tool.secrets) {
    const found = await untilRead(() => readSecret(tenantId, name), end, signal);
    if (found === null) {
      const missing = `secret_not_found: ${tool.name} needs the secret ${name}, which does not exist.`;
      return { refusal: `${missing} Nothing was done.` };
    }
    const { value, allowedHosts } = found;
    hideValue(value);
    values[name] = value;
    if (allowedHosts !== null) bound.push({ name, value, allowedHosts });
  }
  return { values, bound };
}

async function untilRead<Found>(
  read: () => Promise<Found>,
  end: number,
  signal: AbortSignal,
): Promise<Found> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RetryableError) || performance.now() > end) throw error;
      await delay(PAUSE_MS * (0.5 + Math.random()), undefined, { signal }).catch(() =>
        signal.throwIfAborted(),
      );
    }
  }
}
