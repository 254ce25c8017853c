import type { TurnQuery, TurnStatus } from '@turnpike/client';
import { membersOf } from '../../parts/members-of.ts';

export const STATUSES = membersOf<TurnStatus>({
  queued: true,
  in_progress: true,
  requires_action: true,
  cancelling: true,
  completed: true,
  failed: true,
  incomplete: true,
  cancelled: true,
});

/** What a list shows, as the URL has it: a link shows the same list. */
export function queryOf(search: URLSearchParams): TurnQuery {
  const asked = (search.get('status') ?? '').split(',');
  const status = STATUSES.filter((each) => asked.includes(each));
  const day = search.get('day') ?? '';
  return {
    limit: 50,
    ...(status.length === 0 ? {} : { status }),
    ...idOf(search, 'agent', 'agent_id'),
    ...idOf(search, 'session', 'session_id'),
    ...idOf(search, 'parent', 'parent_turn_id'),
    ...metadataOf(search.get('metadata') ?? ''),
    ...(isDay(day) ? { created_after: `${day}T00:00:00Z`, created_before: nextDay(day) } : {}),
  };
}

function idOf<Name extends string>(
  search: URLSearchParams,
  from: string,
  to: Name,
): Partial<Record<Name, string>> {
  const id = search.get(from) ?? '';
  return id === '' ? {} : ({ [to]: id } as Record<Name, string>);
}

/** `name=value` */
function metadataOf(text: string): { metadata?: Record<string, string> } {
  const at = text.indexOf('=');
  return at < 1 ? {} : { metadata: { [text.slice(0, at)]: text.slice(at + 1) } };
}

/** Not of those that no calendar has. */
function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString();
}
