import type { RegisteredTool, ToolCallContext } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';
import { describeFailure } from '../describe-failure.ts';
import { limitCall } from '../limit-call.ts';
import type { HttpParts } from './http-parts.ts';
import type { TimeLeft } from './time-left.ts';

/** A tool with its secrets open, for as long as a call takes. */
export interface OpenedTool {
  /** The configured ones, names in lower case. */
  headers: Record<string, string>;
  signingSecret: Secret;
  /** What no output may show. */
  secrets: Secret[];
}

/** Resolves with words for the model where a secret cannot be had. Throws the signal's reason. */
export async function openTool(
  tool: RegisteredTool,
  context: ToolCallContext,
  time: TimeLeft,
  { secrets, logger }: HttpParts,
): Promise<OpenedTool | { refusal: string }> {
  const limit = limitCall(context.signal, time.ms());
  try {
    return await Promise.race([open(tool, context.tenantId, secrets), limit.ended]);
  } catch (error) {
    context.signal.throwIfAborted();
    logger.warn('The secrets of a tool could not be opened.', { tool: tool.name, ...describeFailure(error) });
    return {
      refusal: `secret_unavailable: The secrets of ${tool.name} cannot be read now. Nothing was sent.`,
    };
  } finally {
    limit.release();
  }
}

async function open(
  tool: RegisteredTool,
  tenantId: string,
  secrets: HttpParts['secrets'],
): Promise<OpenedTool | { refusal: string }> {
  const configured = Object.entries(tool.config.headers);
  const names = new Set(configured.flatMap(([, value]) => (typeof value === 'string' ? [] : value.secret)));
  const [signingSecret, ...read] = await Promise.all([
    secrets.open(tenantId, tool.signingSecret),
    ...[...names].map(async (name) => [name, await secrets.read(tenantId, name)] as const),
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
