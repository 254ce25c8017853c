import { ProblemError } from '@turnpike/contract';
import type { EventPosition, SessionLog, TurnLog } from '@turnpike/store';

const NUMBER = /^(0|[1-9]\d{0,8})$/;

/** What an EventSource sends when it comes back wins over the address, which it never changes. */
export function givenCursor(lastEventId: string | undefined, after: string | undefined): string | undefined {
  return lastEventId === undefined || lastEventId === '' ? after : lastEventId;
}

/** Of a turn's events: the number of the last one seen. */
export const turnCursor = (place: EventPosition): string => String(place.sequenceNumber);

/** Of a session's events: the turn's place in the session, and the number of its last event seen. */
export const sessionCursor = (place: EventPosition): string =>
  `${place.turnSequence}.${place.sequenceNumber}`;

/**
 * Where to go on in a turn's events. Throws `ProblemError`: `invalid_cursor`, and `cursor_expired` where
 * what comes after it is no longer kept. Without a cursor, what is kept is all there is.
 */
export function readTurnCursor(cursor: string | undefined, log: TurnLog): EventPosition {
  if (cursor === undefined) return { turnSequence: log.turnSequence, sequenceNumber: 0 };
  const sequenceNumber = NUMBER.test(cursor) ? Number(cursor) : -1;
  if (sequenceNumber < 0 || sequenceNumber > log.eventCount) throw invalid();
  if (sequenceNumber < log.eventsCut) throw expired(String(log.eventsCut));
  return { turnSequence: log.turnSequence, sequenceNumber };
}

/** The turn and the event that a session's cursor names. Throws `ProblemError`: `invalid_cursor`. */
export function parseSessionCursor(cursor: string | undefined): EventPosition {
  if (cursor === undefined) return { turnSequence: 0, sequenceNumber: 0 };
  const [turn = '', event = '', ...rest] = cursor.split('.');
  if (!NUMBER.test(turn) || !NUMBER.test(event) || rest.length > 0) throw invalid();
  return { turnSequence: Number(turn), sequenceNumber: Number(event) };
}

/** Throws as `readTurnCursor` does, for a cursor that was given. */
export function checkSessionPlace(place: EventPosition, log: SessionLog): void {
  const { turnSequence, sequenceNumber } = place;
  const isStart = turnSequence === 0 && sequenceNumber === 0;
  if (!isStart && (log.eventCount === null || sequenceNumber > log.eventCount)) throw invalid();
  const cut = { turnSequence: log.cutTurn, sequenceNumber: log.cutEvent };
  if (isBefore(place, cut)) throw expired(sessionCursor(cut));
}

export function isBefore(one: EventPosition, other: EventPosition): boolean {
  if (one.turnSequence !== other.turnSequence) return one.turnSequence < other.turnSequence;
  return one.sequenceNumber < other.sequenceNumber;
}

function invalid(): ProblemError {
  return new ProblemError('invalid_cursor', 'The cursor is not one that this stream gave.');
}

function expired(oldestCursor: string): ProblemError {
  const detail = `Events after this cursor are no longer kept; the oldest that can be used is ${oldestCursor}.`;
  return new ProblemError('cursor_expired', detail, { oldestCursor });
}
