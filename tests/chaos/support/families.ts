import type { ScriptInput } from '@turnpike/model-sim';
import type { ChaosCluster } from './chaos-cluster.ts';
import { checkJournal } from './check-journal.ts';
import { readTruth } from './read-truth.ts';

/** A turn that calls another agent several times at once. */
export interface Parent {
  id: string;
  marker: string;
}

/** An agent that calls another one, which makes a tool act. */
export async function createFamilyAgents(chaos: ChaosCluster): Promise<string> {
  const child = await chaos.createAgent({ tools: [{ type: 'http', name: 'idempotent' }] });
  const ask = { type: 'agent', name: 'ask', agent_id: child, description: 'Does a part.' };
  return chaos.createAgent({ tools: [ask] });
}

/** Each parent calls so many children, each of which calls the tool once, and answers. */
export function scriptOfFamilies(children: number, paceMs: number): ScriptInput {
  const parts = Array.from({ length: children }, (_, number) => ({
    name: 'ask',
    input: { prompt: `[[{{turn}}-${number}]] a part` },
  }));
  return {
    defaults: { first_token_ms: paceMs, tokens_per_second: 200 },
    rules: [
      { match: { text: 'the whole', step: 0 }, reply: { tool_uses: parts } },
      { match: { text: 'the whole', step: 1 }, reply: { text: 'All parts of {{turn}} are done.' } },
      {
        match: { text: 'a part', step: 0 },
        reply: { tool_uses: [{ name: 'idempotent', input: { turn: '{{turn}}' } }] },
      },
      { match: { text: 'a part', step: 1 }, reply: { text: '{{turn}} is done.' } },
    ],
  };
}

export async function submitParents(chaos: ChaosCluster, agentId: string, count: number): Promise<Parent[]> {
  const markers = Array.from({ length: count }, (_, number) => `p${number}`);
  return Promise.all(
    markers.map(async (marker) => {
      const { id } = await chaos.cluster.submit({ agentId }, `[[${marker}]] the whole`);
      return { id, marker };
    }),
  );
}

interface Child {
  id: string;
  parentId: string;
  callId: string;
  marker: string;
  status: string;
}

/**
 * What must hold of parents that completed: one answer, one child turn for each call, each of which acted once, and is
 * the result of its call. Throws an error that names what does not.
 */
export async function checkFamilies(
  chaos: ChaosCluster,
  parents: readonly Parent[],
  children: number,
): Promise<void> {
  const truth = await readTruth(chaos);
  const { rows } = await chaos.cluster.database.pool.query<Child>(
    `SELECT turns.id, parent_turn_id AS "parentId", parent_tool_call_id AS "callId", status,
       substring(messages.content -> 0 ->> 'text' FROM '\\[\\[(.*)\\]\\]') AS marker
     FROM turns JOIN messages ON messages.turn_id = turns.id AND messages.index = 0
     WHERE parent_turn_id IS NOT NULL`,
  );
  const stored = new Map(truth.turns.map((turn) => [turn.id, turn]));
  const violations = truth.turns.flatMap(checkJournal);
  const expect = (holds: boolean, violation: string): void => void (holds || violations.push(violation));
  for (const { id, marker } of parents) {
    const turn = stored.get(id);
    const answer = turn?.output?.map(({ text }) => text).join('');
    expect(turn?.status === 'completed', `${id} is ${String(turn?.status)}`);
    expect(answer === `All parts of ${marker} are done.`, `${id} answers ${JSON.stringify(answer)}`);
    expect(turn?.stepCount === 3, `${id} has ${String(turn?.stepCount)} steps`);
    expect(turn?.toolCalls.length === children, `${id} made ${String(turn?.toolCalls.length)} calls`);
    const own = rows.filter(({ parentId }) => parentId === id);
    expect(own.length === children, `${id} has ${own.length} child turns for ${children} calls`);
    for (const call of turn?.toolCalls ?? []) {
      const [child, ...more] = own.filter(({ callId }) => callId === call.id);
      expect(child !== undefined && more.length === 0, `${call.id} has ${more.length + 1} child turns`);
      const said = call.output?.map(({ text }) => text).join('');
      expect(said === `${String(child?.marker)} is done.`, `${call.id} says ${JSON.stringify(said)}`);
    }
  }
  for (const child of rows) {
    expect(child.status === 'completed', `the child turn ${child.id} is ${child.status}`);
    const acts = chaos.effects.acts('idempotent', child.marker).length;
    expect(acts === 1, `${child.marker} acted ${acts} times`);
  }
  const held = truth.turns.filter((turn) => turn.isLeased || turn.isDispatched);
  expect(held.length === 0, `${held.length} turns are still held`);
  expect(truth.openTurns === 0, `${truth.openTurns} turns are counted as open`);
  if (violations.length > 0) throw new Error(violations.slice(0, 40).join('\n'));
}
