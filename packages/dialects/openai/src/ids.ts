import { ProblemError } from '@turnpike/contract';
import { z } from 'zod';

/** The 26 characters after the prefix of every id. */
const UNIQUE = '[0-7][0123456789abcdefghjkmnpqrstvwxyz]{25}';
const EXAMPLE = '01kapjt9e8f7ga5vxq3c2m4n6r';

/**
 * A response is a turn, or a part of one. A turn that calls functions of its client waits for their outputs; what it
 * had done until then is one response, and what it does with the outputs is the next. `part` counts these.
 */
export interface ResponseRef {
  turnId: string;
  part: number;
}

/** `resp_<turn>` for the first part of a turn, `resp_<turn>_<part>` for the others. */
export const responseIdSchema = z
  .string()
  .regex(new RegExp(`^resp_${UNIQUE}(_[1-9][0-9]{0,3})?$`), 'must be an id that starts with resp_')
  .meta({ example: `resp_${EXAMPLE}` });

export function responseId({ turnId, part }: ResponseRef): string {
  const id = turnId.replace(/^turn_/, 'resp_');
  return part === 0 ? id : `${id}_${part}`;
}

/** Of an id that `responseIdSchema` accepts. */
export function parseResponseId(id: string): ResponseRef {
  const [, unique = '', part = '0'] = id.split('_');
  return { turnId: `turn_${unique}`, part: Number(part) };
}

/** A conversation is a session. */
export const conversationIdSchema = z
  .string()
  .regex(new RegExp(`^conv_${UNIQUE}$`), 'must be an id that starts with conv_')
  .meta({ example: `conv_${EXAMPLE}` });

export const conversationId = (sessionId: string): string => sessionId.replace(/^sess_/, 'conv_');
export const sessionIdOf = (conversation: string): string => conversation.replace(/^conv_/, 'sess_');

/** The kinds of items that a model step has, by the prefixes of their ids; and the call that an item is. */
export type ItemPrefix = 'msg' | 'rs' | 'fc' | 'mcp' | 'call';

/** Of an item of a step. A step has several items of one kind only where it calls several tools. */
export function itemId(prefix: ItemPrefix, turnId: string, stepIndex: number, place?: number): string {
  const step = `${turnId.replace(/^turn/, prefix)}_${stepIndex}`;
  return place === undefined ? step : `${step}_${place}`;
}

/** Of what a client gave: a message that its turn began with, or the output of a call of a step. */
export const inputId = (turnId: string, place: number): string =>
  `${turnId.replace(/^turn/, 'msg')}_in_${place}`;
export const outputId = (turnId: string, stepIndex: number, place: number): string =>
  `${turnId.replace(/^turn/, 'fco')}_${stepIndex}_${place}`;

const ITEM_ID = new RegExp(`^(?:msg|rs|fc|mcp|call)_(${UNIQUE})_\\d{1,4}(?:_\\d{1,3})?$`);

const LISTED_ID = new RegExp(`^(?:msg|rs|fc|mcp|fco)_(${UNIQUE})_`);

const turnNamedBy = (pattern: RegExp, id: string): string | null => {
  const unique = pattern.exec(id)?.[1];
  return unique === undefined ? null : `turn_${unique}`;
};

/** The turn that an item or a call of a response came from; null for an id that is not of this service. */
export const turnOfItem = (id: string): string | null => turnNamedBy(ITEM_ID, id);

/** The turn that an item of a conversation came from, also one of the client. */
export const turnOfListed = (id: string): string | null => turnNamedBy(LISTED_ID, id);

/** Without the id: another tenant's and one of nobody look alike. */
export const noResponse = (): ProblemError => new ProblemError('not_found', 'There is no such response.');
export const noConversation = (): ProblemError =>
  new ProblemError('not_found', 'There is no such conversation.');
