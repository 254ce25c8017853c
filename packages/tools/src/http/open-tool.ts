import { RetryableError, TerminalError, type RegisteredTool, type ToolCallContext } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';
import { callFields } from '../call-fields.ts';
import { describeFailure } from '../describe-failure.ts';
import { limitCall } from '../limit-call.ts';
import type { HttpParts } from './http-parts.ts';
import { pause } from './send-call.ts';

/** A tool with its secrets open, for as long as a call takes. */
export interface OpenedTool {
  /** The configured ones, names in lower case. */
  headers: Record<string, string>;
  signingSecret: Secret;
  /** What no output may show. */
  secrets: Secret[];
}

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 1_000;

/**
 * Opens what a call to `url` needs, and waits a while where whoever keeps the keys is away. Resolves with words for
 * the model where a secret cannot be had or may not be sent there, or, where the call `mustEndHere`, not in time.
 * Throws `RetryableError` where it may be had later, and the signal's reason.
 */
export async function openTool(
  tool: RegisteredTool,
  url: string,
  callId: string,
  context: ToolCallContext,
  mustEndHere: boolean,
  { secrets, logger, secretsWaitMs }: HttpParts,
): Promise<OpenedTool | { refusal: string }> {
  const limit = limitCall(context.signal, secretsWaitMs);
  try {
    return await Promise.race([untilOpen(tool, url, context, secrets, limit.signal), limit.ended]);
  } catch (error) {
    context.signal.throwIfAborted();
    const fields = { ...callFields(tool.name, callId, context), ...describeFailure(error) };
    logger.warn('The secrets of a tool could not be opened.', fields);
    if (error instanceof TerminalError && error.code === 'secret_refused') {
      return { refusal: `secret_refused: ${error.message} Nothing was sent.` };
    }
    const mayPass = limit.expired() || error instanceof RetryableError;
    if (mayPass && !mustEndHere) {
      throw new RetryableError('secret_unavailable', `The secrets of ${tool.name} cannot be read now.`);
    }
    return {
      refusal: `secret_unavailable: The secrets of ${tool.name} cannot be read now. Nothing was sent.`,
    };
  } finally {
    limit.release();
  }
}

/** Throws what will not pass, and the signal's reason. */
async function untilOpen(
  tool: RegisteredTool,
  url: string,
  { tenantId }: ToolCallContext,
  secrets: HttpParts['secrets'],
  signal: AbortSignal,
): Promise<OpenedTool | { refusal: string }> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await open(tool, url, tenantId, secrets);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const wait = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
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
      const missing = `secret_not_found: ${tool.name} needs the secret ${value.secret}, which is not there.`;
      return { refusal: `${missing} Nothing was sent.` };
    }
    headers[name.toLowerCase()] = typeof value === 'string' ? value : (secret?.reveal() ?? '');
  }
  return { headers, signingSecret, secrets: [...known.values()].filter((secret) => secret !== null) };
}
