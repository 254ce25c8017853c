import { ID_PREFIXES, UNKNOWN_OUTCOME } from '@turnpike/contract';

const NOT_RUN = 'The turn ended before this call was made. Nothing was done.';

/**
 * A select-list entry that ends the turns of the rows which `when` picks; the function, with its
 * invariant, is in the migration that made it. The rows bring `id` and `status` (the final one), and
 * are locked. The ids of what is written are made by the database: nearly always there is nothing to end,
 * and ids that are made beforehand for all that there could be cost a process more than its passes do.
 */
export function closingTurn(parts: { when: string; stopReason?: string; error?: string }): string {
  return `CASE WHEN ${parts.when} THEN turnpike_close_turn(id, status, ${parts.stopReason ?? 'NULL'},
    ${parts.error ?? 'NULL'}, turnpike_new_id('${ID_PREFIXES.step}'), turnpike_new_id('${ID_PREFIXES.message}'),
    ARRAY[turnpike_new_id('${ID_PREFIXES.event}'), turnpike_new_id('${ID_PREFIXES.event}')],
    '${NOT_RUN}', '${UNKNOWN_OUTCOME}') END AS closed`;
}
