/** The 26 characters of an id. */
const uniqueOf = (id: string): string => id.slice(id.indexOf('_') + 1);

/** An event that a fact says. A fact says several, each with another word. */
export const ofFact = (factId: string, word: string): string => `sevt_${uniqueOf(factId)}_${word}`;
export const ofMessage = (messageId: string): string => `sevt_${uniqueOf(messageId)}`;
/** The use of a tool, which answers name. */
export const ofCall = (callId: string): string => `sevt_${uniqueOf(callId)}`;
export const ofResult = (callId: string): string => `sevt_${uniqueOf(callId)}_result`;
export const ofConfirmation = (callId: string): string => `sevt_${uniqueOf(callId)}_confirmation`;
export const ofInterrupt = (turnId: string): string => `sevt_${uniqueOf(turnId)}_interrupt`;
/** The message of a model call that began after this fact: previews have it before the message is there. */
export const ofAgentMessage = (factId: string): string => ofFact(factId, 'message');
