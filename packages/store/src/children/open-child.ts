/** The statuses of turns that have not ended, for SQL: as in the condition of the partial indexes. */
export const OPEN_STATUSES = `('queued', 'in_progress', 'requires_action', 'cancelling')`;

/** A boolean SQL expression: a child turn of `turn`, a row of `turns`, has not ended. */
export const hasOpenChild = (turn: string): string => `EXISTS (
  SELECT 1 FROM turns AS child WHERE child.parent_turn_id = ${turn}.id AND child.status IN ${OPEN_STATUSES})`;
