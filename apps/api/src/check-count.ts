import { ProblemError, type Limits, type ProblemCode } from '@turnpike/contract';
import { hasRoomFor, hasRoomForVersion, type Owned, type Sql } from '@turnpike/store';

interface Counted {
  limit: keyof Limits & `max_${string}`;
  code: ProblemCode;
  noun: string;
  /** What makes room. Default: to delete one. */
  remedy?: string;
}

const COUNTED: Record<Owned, Counted> = {
  agents: { limit: 'max_agents', code: 'agent_limit', noun: 'agents' },
  tools: { limit: 'max_tools', code: 'tool_limit', noun: 'tools' },
  mcpServers: { limit: 'max_mcp_servers', code: 'mcp_server_limit', noun: 'MCP servers' },
  batches: {
    limit: 'max_open_batches',
    code: 'batch_limit',
    noun: 'open batches',
    remedy: 'wait for the end of one, or cancel it',
  },
  schedules: { limit: 'max_schedules', code: 'schedule_limit', noun: 'schedules that have not ended' },
  secrets: { limit: 'max_secrets', code: 'secret_limit', noun: 'secrets' },
  apiKeys: { limit: 'max_api_keys', code: 'api_key_limit', noun: 'API keys that work' },
  webhookEndpoints: {
    limit: 'max_webhook_endpoints',
    code: 'webhook_endpoint_limit',
    noun: 'webhook endpoints',
  },
};

/**
 * To be called before one is added, in the transaction that adds it; `except` is one that is replaced.
 * Throws `ProblemError` where the tenant is at its limit.
 */
export async function checkCount(
  sql: Sql,
  { tenantId, limits }: { tenantId: string; limits: Limits },
  owned: Owned,
  except?: string,
): Promise<void> {
  const { limit, code, noun, remedy = 'delete one before you make another' } = COUNTED[owned];
  const most = limits[limit];
  if (await hasRoomFor(sql, tenantId, owned, most, except)) return;
  throw new ProblemError(code, `The tenant may have ${most} ${noun} (${limit}): ${remedy}.`);
}

/** As `checkCount`, for a version of an agent that is locked. Throws `agent_version_limit`. */
export async function checkVersionCount(
  sql: Sql,
  agentId: string,
  { max_agent_versions: most }: Limits,
): Promise<void> {
  if (await hasRoomForVersion(sql, agentId, most)) return;
  throw new ProblemError(
    'agent_version_limit',
    `${agentId} has the ${most} versions that an agent may have (max_agent_versions): make another agent.`,
  );
}

/** Throws `metadata_too_large` where the metadata of a body is larger than the tenant's limit. */
export function checkMetadata(body: unknown, { max_metadata_bytes: most }: Limits): void {
  if (typeof body !== 'object' || body === null) return;
  for (const [field, value] of Object.entries(body)) {
    if (field !== 'metadata' && field !== 'session_metadata') continue;
    const bytes = Buffer.byteLength(JSON.stringify(value ?? null));
    if (bytes > most) {
      const detail = `${field} has ${bytes} bytes as JSON, and may have ${most} (max_metadata_bytes).`;
      throw new ProblemError('metadata_too_large', detail);
    }
  }
}
