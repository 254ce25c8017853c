import { idSchema, isFinal, isSettled, type Turn, type TurnFact } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import { readTask, type Answer, type Asked } from './method.ts';
import { artifactsOf, historyOf, taskOf } from './task.ts';
import { TaskStream } from './task-stream.ts';
import type { Message, Task } from './wire.ts';

const FACTS_OF_A_PAGE = 500;

/** The task of a turn as a response shows it. */
export async function showTask(
  { useCases: { turns } }: Asked,
  turn: Turn,
  show: { historyLength: number | undefined; artifacts: boolean },
): Promise<Task> {
  const history = await readHistory(turns, turn, show.historyLength);
  const artifacts = show.artifacts ? artifactsOf(turn, await turns.steps(turn.id)) : undefined;
  return taskOf(turn, { history, ...(artifacts === undefined ? {} : { artifacts }) });
}

async function readHistory(
  turns: Asked['useCases']['turns'],
  turn: Turn,
  historyLength: number | undefined,
): Promise<Message[]> {
  if (historyLength === 0) return [];
  const history = historyOf(turn, await turns.messages(turn.id));
  return historyLength === undefined ? history : history.slice(-historyLength);
}

/**
 * The task as it is now, and then its updates. What the task says comes from the events that the stream does not send:
 * so nothing is missing between the two. Throws `cursor_expired` for a task whose first events are no longer kept.
 */
export async function followTask(asked: Asked, turnId: string, historyLength?: number): Promise<Answer> {
  const { turns } = asked.useCases;
  await turns.checkStreamable(turnId);
  const facts: TurnFact[] = [];
  let turn: Turn;
  do {
    await readOn(turns, turnId, facts);
    turn = await readTask(asked, turnId);
    // Its last event was committed after they were read.
  } while (isSettled(turn.status) && !tells(facts, turn));
  const completed = facts.flatMap((fact) => (fact.type === 'step.completed' ? [fact.step] : []));
  const history = await readHistory(turns, turn, historyLength);
  const task = taskOf(turn, { history, artifacts: artifactsOf(turn, completed) });
  const after = facts.at(-1)?.sequence_number ?? 0;
  return {
    turnId,
    first: { task },
    stream: (frame) => new TaskStream({ task, isFinal: isFinal(turn.status), after, frame }),
  };
}

async function readOn(turns: Asked['useCases']['turns'], id: string, facts: TurnFact[]): Promise<void> {
  for (;;) {
    const after = facts.at(-1)?.sequence_number ?? 0;
    const page = await turns.facts(id, { after, limit: FACTS_OF_A_PAGE });
    facts.push(...page);
    if (page.length < FACTS_OF_A_PAGE) return;
  }
}

/** Whether the events have come as far as the turn, which may have waited before. */
function tells(facts: readonly TurnFact[], turn: Turn): boolean {
  const last = facts.findLast(({ type }) => type.startsWith('turn.'));
  return last?.type === `turn.${turn.status}`;
}

/** A page of tasks begins after the task that its token names. */
export function readPageToken(token: string | undefined): string | null {
  if (token === undefined || token === '') return null;
  if (idSchema('turn').safeParse(token).success) return token;
  throw refused('pageToken', 'is not the nextPageToken of a page');
}
