/** The statuses of turns that have not ended, for SQL: as in the condition of the partial indexes. */
export const OPEN_STATUSES = `('queued', 'in_progress', 'requires_action', 'cancelling')`;

/** Those of them in which a turn was not asked to stop. */
export const TO_CANCEL_STATUSES = `('queued', 'in_progress', 'requires_action')`;
