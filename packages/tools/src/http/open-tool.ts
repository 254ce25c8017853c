import { RetryableError, TerminalError, type RegisteredTool, type TurnContext } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';
import { describeFailure } from '../describe-failure.ts';
import { limitCall } from '../limit-call.ts';
import type { HttpParts } from './http-parts.ts';
import { pause } from './send-call.ts';

/** A tool with its secrets decrypted, for the duration of a call. */
export interface OpenedTool {
  /** The configured ones, names in lower case. */
  headers: Record<string, string>;
  signingSecret: Secret;
  /** Secrets that no output may show. */
  secrets: Secret[];
}

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 1_000;

/**
 * Decrypts the secrets that a call to `url` needs, as `openWithin`. Resolves with a message for the model where a secret
 * does not exist.
 */
export function openTool(
  tool: RegisteredTool,
  url: string,
  context: TurnContext,
  mustEndHere: boolean,
  { secrets, secretsWaitMs }: HttpParts,
): Promise<OpenedTool | { refusal: string }> {
  const attempt = (): ReturnType<typeof open> => open(tool, url, context.tenantId, secrets);
  return openWithin(tool.name, context, mustEndHere, secretsWaitMs, attempt);
}

/**
 * Opens what holds secrets, and waits a while where the key provider is unavailable. Resolves with a message for the
 * model where a secret may not be sent there, or, where the call `mustEndHere`, is not available in time. Throws
 * `RetryableError` where it may be available later, and the signal's reason.
 */
export async function openWithin<Opened>(
  name: string,
  context: TurnContext,
  mustEndHere: boolean,
  waitMs: number,
  attempt: () => Promise<Opened>,
): Promise<Opened | { refusal: string }> {
  const limit = limitCall(context.signal, waitMs);
  try {
    return await Promise.race([untilOpen(attempt, limit.signal), limit.ended]);
  } catch (error) {
    context.signal.throwIfAborted();
    context.logger.warn('The secrets of a tool could not be decrypted.', describeFailure(error));
    if (error instanceof TerminalError && error.code === 'secret_refused') {
      return { refusal: `secret_refused: ${error.message} Nothing was sent.` };
    }
    const mayPass = limit.expired() || error instanceof RetryableError;
    if (mayPass && !mustEndHere) {
      throw new RetryableError('secret_unavailable', `The secrets of ${name} cannot be read now.`);
    }
    return { refusal: `secret_unavailable: The secrets of ${name} cannot be read now. Nothing was sent.` };
  } finally {
    limit.release();
  }
}

/** Throws errors that no retry can help, and the signal's reason. */
async function untilOpen<Opened>(attempt: () => Promise<Opened>, signal: AbortSignal): Promise<Opened> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const wait = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
      await pause(wait, signal);
    }
  }
}

async function open(
  tool: RegisteredTool,
  url: string,
  tenantId: string,
  secrets: HttpParts['secrets'],
): Promise<OpenedTool | { refusal: string }> {
  const configured = Object.entries(tool.config.headers);
  const names = new Set(configured.flatMap(([, value]) => (typeof value === 'string' ? [] : value.secret)));
  const [signingSecret, ...read] = await Promise.all([
    secrets.open(tenantId, tool.signingSecret),
    ...[...names].map(
      async (name) => [name, await secrets.read(tenantId, name, { url, by: 'tool' })] as const,
    ),
  ]);
  const known = new Map(read);
  const headers: Record<string, string> = {};
  for (const [name, value] of configured) {
    const secret = typeof value === 'string' ? undefined : known.get(value.secret);
    if (secret === null && typeof value !== 'string') {
      const missing = `secret_not_found: ${tool.name} needs the secret ${value.secret}, which does not exist.`;
      return { refusal: `${missing} Nothing was sent.` };
    }
    headers[name.toLowerCase()] = typeof value === 'string' ? value : (secret?.reveal() ?? '');
  }
  return { headers, signingSecret, secrets: [...known.values()].filter((secret) => secret !== null) };
}
