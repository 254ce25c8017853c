import { TURN_STATUSES } from '@turnpike/contract';
import { TRANSITIONS } from '@turnpike/turns';

/** The transition table of turns as a state chart: an arrow for each edge, named for the moves that take it. */
export function drawStateChart() {
  const movesOf = new Map();
  for (const [name, { to }] of Object.entries(TRANSITIONS))
    for (const [from, targets] of Object.entries(to))
      for (const target of targets) {
        const edge = `${from} --> ${target}`;
        movesOf.set(edge, [...(movesOf.get(edge) ?? []), name]);
      }
  const edges = [...movesOf].map(([edge, moves]) => `    ${edge}: ${moves.join(', ')}`);
  const hasNext = (status) => [...movesOf.keys()].some((edge) => edge.startsWith(`${status} `));
  const ends = TURN_STATUSES.filter((status) => !hasNext(status)).map((status) => `    ${status} --> [*]`);
  return ['```mermaid', 'stateDiagram-v2', '    [*] --> queued: submit', ...edges, ...ends, '```'].join('\n');
}
