import type { Agent } from '@turnpike/client';

/** What a version is, without what the API adds to it. */
export function configurationOf(agent: Agent): Record<string, unknown> {
  const added = new Set([
    'id',
    'object',
    'version',
    'created_at',
    'updated_at',
    'restored_from',
    'deleted_at',
  ]);
  return Object.fromEntries(Object.entries(agent).filter(([name]) => !added.has(name)));
}
