import { isFinal } from '@turnpike/contract';
import type { StoredTurn } from './read-truth.ts';

/** A turn's journal has no gap, agrees with its counters, and was written by one lease after another. */
export function checkJournal(turn: StoredTurn): string[] {
  const { id, steps, messages, events, toolCalls } = turn;
  const gaps = [
    ...findGap(
      'steps',
      steps.map((step) => step.index),
      turn.stepCount,
      0,
    ),
    ...findGap(
      'messages',
      messages.map((message) => message.index),
      turn.messageCount,
      0,
    ),
    ...findGap(
      'events',
      events.map((event) => event.number),
      turn.eventCount,
      1,
    ),
  ];
  return [
    ...gaps,
    ...checkAlternation(turn),
    ...checkEpochs(turn),
    ...checkEnd(turn),
    ...toolCalls
      .filter((call) => call.output === null || (call.status !== 'completed' && call.status !== 'unknown'))
      .map((call) => `the ${call.name} call is ${call.status} and has no receipt`),
  ].map((violation) => `${id}: ${violation}`);
}

function findGap(what: string, numbers: readonly number[], count: number, first: number): string[] {
  const isWhole =
    numbers.length === count && numbers.every((number, position) => number === position + first);
  return isWhole ? [] : [`its ${count} ${what} are numbered ${numbers.join(' ')}`];
}

/** A model call that asked for tools is followed by the round of these tools, and that by a model call. */
function checkAlternation({ steps, messages }: StoredTurn): string[] {
  const roles = messages.map((message) => message.role);
  return [
    ...(steps.every((step, position) => step.type === (position % 2 === 0 ? 'model_call' : 'tool_calls'))
      ? []
      : [`its steps are ${steps.map((step) => step.type).join(' ')}`]),
    ...(roles.every((role, position) => role === (position % 2 === 0 ? 'user' : 'assistant'))
      ? []
      : [`its messages are by ${roles.join(' ')}`]),
  ];
}

function checkEpochs({ steps, epoch }: StoredTurn): string[] {
  const epochs = steps.map((step) => step.epoch);
  const isRising = epochs.every((own, position) => own >= (epochs[position - 1] ?? 1) && own <= epoch);
  return isRising ? [] : [`an earlier lease wrote after a later one: epochs ${epochs.join(' ')} of ${epoch}`];
}

function checkEnd({ status, events, finishedAt }: StoredTurn): string[] {
  if (!isFinal(status)) return [`it has not ended: ${status}`];
  const ends = events.filter((event) => /^turn\.(completed|failed|cancelled|incomplete)$/.test(event.type));
  const isSaid = ends.length === 1 && events.at(-1)?.type === `turn.${status}`;
  return [
    ...(isSaid ? [] : [`it is ${status}, and its events end with ${events.at(-1)?.type}`]),
    ...(finishedAt === null ? ['it has no time of its end'] : []),
  ];
}
