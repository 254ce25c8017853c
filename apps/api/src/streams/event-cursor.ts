import { isFinal, ProblemError } from '@turnpike/contract';
import type { EventPosition, SessionLog, TurnLog } from '@turnpike/store';

const NUMBER = /^(0|[1-9]\d{0,8})$/;

/** `Last-Event-ID` takes precedence: an EventSource sends it when it reconnects, to a URL that it never changes. */
export function givenCursor(lastEventId: string | undefined, after: string | undefined): string | undefined {
  return lastEventId === undefined || lastEventId === '' ? after : lastEventId;
}

/** The cursor in a turn's events: the number of the last one seen. */
export const turnCursor = (position: EventPosition): string => String(position.sequenceNumber);

/** The cursor in a session's events: the sequence of the turn, and the number of its last event seen. */
export const sessionCursor = (position: EventPosition): string =>
  `${position.turnSequence}.${position.sequenceNumber}`;

/**
 * Where to continue in a turn's events. Throws `ProblemError`: `invalid_cursor`, and `cursor_expired` where the events
 * after it were deleted. Without a cursor, the stream begins at the oldest event that is kept.
 */
export function readTurnCursor(cursor: string | undefined, log: TurnLog): EventPosition {
  if (cursor === undefined) return { turnSequence: log.turnSequence, sequenceNumber: 0 };
  const sequenceNumber = NUMBER.test(cursor) ? Number(cursor) : -1;
  if (sequenceNumber < 0 || sequenceNumber > log.eventCount) throw invalid();
  if (sequenceNumber < log.eventsCut) throw expired(String(log.eventsCut));
  return { turnSequence: log.turnSequence, sequenceNumber };
}

/**
 * Before the first event of a turn. Throws `ProblemError`: `cursor_expired` where its first events were deleted, and for
 * a turn that was copied, which has none.
 */
export function beforeFirstEvent(log: TurnLog): EventPosition {
  if (log.eventCount > 0 || !isFinal(log.status)) return readTurnCursor('0', log);
  throw new ProblemError(
    'cursor_expired',
    'The turn is a copy of another one, whose events are not its own.',
  );
}

/** The turn and the event that a session's cursor names. Throws `ProblemError`: `invalid_cursor`. */
export function parseSessionCursor(cursor: string | undefined): EventPosition {
  if (cursor === undefined) return { turnSequence: 0, sequenceNumber: 0 };
  const [turn = '', event = '', ...rest] = cursor.split('.');
  if (!NUMBER.test(turn) || !NUMBER.test(event) || rest.length > 0) throw invalid();
  return { turnSequence: Number(turn), sequenceNumber: Number(event) };
}

/** Throws as `readTurnCursor` does, for a cursor that was given. */
export function checkSessionPosition(position: EventPosition, log: SessionLog): void {
  const { turnSequence, sequenceNumber } = position;
  const isStart = turnSequence === 0 && sequenceNumber === 0;
  if (!isStart && (log.eventCount === null || sequenceNumber > log.eventCount)) throw invalid();
  const cut = { turnSequence: log.cutTurn, sequenceNumber: log.cutEvent };
  if (isBefore(position, cut)) throw expired(sessionCursor(cut));
}

export function isBefore(one: EventPosition, other: EventPosition): boolean {
  if (one.turnSequence !== other.turnSequence) return one.turnSequence < other.turnSequence;
  return one.sequenceNumber < other.sequenceNumber;
}

function invalid(): ProblemError {
  return new ProblemError('invalid_cursor', 'The cursor is not from this stream.');
}

function expired(oldestCursor: string): ProblemError {
  const detail = `Events after this cursor are no longer kept; the oldest that can be used is ${oldestCursor}.`;
  return new ProblemError('cursor_expired', detail, { oldestCursor });
}
