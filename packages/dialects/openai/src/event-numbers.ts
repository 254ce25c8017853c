/**
 * The numbers of a stream's events. They are made of the number of the stored event that an event comes from, so they
 * are the same whenever the stream is read, and grow with gaps between them. Of one stored event:
 * - the text that follows it, piece by piece, where it began a model call;
 * - then what it says itself.
 */
const OF_ONE = 2 ** 22;
const SAID = 2 ** 21;

/** The first event of every stream, and what comes before any stored event. */
export const FIRST = 0;

export const ofText = (attempt: number, place: number): number => attempt * OF_ONE + place;
export const ofFact = (sequenceNumber: number, place: number): number =>
  sequenceNumber * OF_ONE + SAID + place;

/** Whether the event of this number is text that followed this stored event. */
export function isTextOf(attempt: number, number: number): boolean {
  return number >= attempt * OF_ONE && number < attempt * OF_ONE + SAID;
}
