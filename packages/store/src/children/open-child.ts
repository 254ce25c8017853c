import { OPEN_STATUSES } from '../turns/open-statuses.ts';

/** A boolean SQL expression: a child turn of `turn`, a row of `turns`, has not ended. */
export const hasOpenChild = (turn: string): string => `EXISTS (
  SELECT 1 FROM turns AS child WHERE child.parent_turn_id = ${turn}.id AND child.status IN ${OPEN_STATUSES})`;
