import { ID_PREFIXES, UNKNOWN_OUTCOME } from '@turnpike/contract';

const NOT_RUN = 'The turn ended before this call was made. Nothing was done.';

/**
 * A select-list entry that calls `turnpike_close_turn` (packages/store/sql/functions) for each row that
 * matches `when`. The rows are locked and have `id` and `status` (the final one). The database makes the ids
 * of what is written: there is nearly always nothing to end, and ids made in advance cost a process more than
 * its passes.
 */
export function closingTurn(parts: { when: string; stopReason?: string; error?: string }): string {
  return `CASE WHEN ${parts.when} THEN turnpike_close_turn(id, status, ${parts.stopReason ?? 'NULL'},
    ${parts.error ?? 'NULL'}, turnpike_new_id('${ID_PREFIXES.step}'), turnpike_new_id('${ID_PREFIXES.message}'),
    ARRAY[turnpike_new_id('${ID_PREFIXES.event}'), turnpike_new_id('${ID_PREFIXES.event}')],
    '${NOT_RUN}', '${UNKNOWN_OUTCOME}') END AS closed`;
}
