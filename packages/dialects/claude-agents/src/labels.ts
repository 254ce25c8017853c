import { metadataSchema, type Metadata } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import { z } from 'zod';

/** What the client's objects have and ours do not is kept in their metadata, under keys of this prefix. */
const PREFIX = 'claude.';

export const LABELS = {
  archivedAt: 'claude.archived_at',
  environmentId: 'claude.environment_id',
  agentVersion: 'claude.agent_version',
  title: 'claude.title',
} as const;

/** Of sessions: what a message does while a turn is open. */
export const STRATEGY = 'multitask_strategy';
export const strategySchema = z.enum(['enqueue', 'reject', 'interrupt', 'rollback']);

const isReserved = (key: string): boolean => key.startsWith(PREFIX);

export const metadataParams = z.record(z.string(), z.string());
export const metadataPatch = z.record(z.string(), z.string().nullable());

/** The entries that clients of the dialect gave. `hidden`: further keys that are not theirs. */
export function shownLabels(metadata: Metadata, hidden: readonly string[] = []): Metadata {
  return Object.fromEntries(
    Object.entries(metadata).filter(([key]) => !isReserved(key) && !hidden.includes(key)),
  );
}

/** Applies a patch of the client: null removes an entry. Throws `invalid_request`. */
export function patchLabels(
  metadata: Metadata,
  patch: Record<string, string | null>,
  hidden: readonly string[] = [],
): Metadata {
  for (const key of Object.keys(patch)) {
    if (isReserved(key) || hidden.includes(key))
      throw refused(`metadata.${key}`, 'is a key that the service uses itself');
  }
  return withLabels(metadata, patch);
}

/** Our own entries beside the client's; null removes one. Throws `invalid_request` where there are too many. */
export function withLabels(metadata: Metadata, labels: Record<string, string | null>): Metadata {
  const merged = Object.entries({ ...metadata, ...labels }).filter(([, value]) => value !== null);
  const parsed = metadataSchema.safeParse(Object.fromEntries(merged));
  if (parsed.success) return parsed.data;
  throw refused(
    'metadata',
    'has too many or too long entries: 16 with those that the service keeps here itself (a title, a description, an environment and such), of 512 characters',
  );
}

/** Throws `invalid_request` for a strategy that a session cannot have. */
export function checkStrategy(metadata: Metadata): void {
  const given = metadata[STRATEGY];
  if (given !== undefined && !strategySchema.safeParse(given).success)
    throw refused(`metadata.${STRATEGY}`, `must be ${strategySchema.options.join(', ')}`);
}
