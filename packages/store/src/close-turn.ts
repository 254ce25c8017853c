import { newId, UNKNOWN_OUTCOME } from '@turnpike/contract';

const NOT_RUN = 'The turn ended before this call was made. Nothing was done.';

/** Ids in one row: of the step, of the message, and of the two events. */
const IDS_OF_ONE = 4;

/**
 * A select-list entry that ends the turns of the rows which `when` picks; the function, with its
 * invariant, is in the migration that made it. The rows bring `id`, `status` (the final one) and
 * `place` (from 1), and are locked. `ids` is the parameter that holds `closingIds`.
 */
export function closingTurn(parts: {
  when: string;
  stopReason?: string;
  error?: string;
  ids: string;
}): string {
  const idAt = (offset: number): string =>
    `(${parts.ids}::text[])[(place::int - 1) * ${IDS_OF_ONE} + ${offset}]`;
  return `CASE WHEN ${parts.when} THEN turnpike_close_turn(id, status, ${parts.stopReason ?? 'NULL'},
    ${parts.error ?? 'NULL'}, ${idAt(1)}, ${idAt(2)}, ARRAY[${idAt(3)}, ${idAt(4)}],
    '${NOT_RUN}', '${UNKNOWN_OUTCOME}') END AS closed`;
}

/** New ids for closing up to `turns` turns. */
export function closingIds(turns: number): string[] {
  const ids = (): string[] => [newId('step'), newId('message'), newId('event'), newId('event')];
  return Array.from({ length: turns }, ids).flat();
}
