import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { TurnStatus } from '@turnpike/contract';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { TOOL_EFFECTS } from './support/effect-server.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { planOf, scriptOfPlans, submitTurn, type PlannedTurn } from './support/workload.ts';

const TURNS = byLength({ short: 20, long: 100 });
const LATEST_MS = 2_000;

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

/** Model calls and sends of tool calls that arrived so far for a turn. */
async function countCalls({ marker }: PlannedTurn): Promise<{ model: number; tools: number }> {
  const calls = await chaos.cluster.control.calls();
  return {
    model: calls.filter((call) => call.turn === marker).length,
    tools: chaos.effects.arrivals.filter((arrival) => arrival.turn === marker).length,
  };
}

test(
  'turns are cancelled at random moments: each ends cancelled or had ended, and after its end nothing is sent for it',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: 2, environment: { LEASE_MS: '15000' } });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 150;
    // Each in a session of its own: to the simulator a cancelled turn before it would be a part of it.
    const turns = await Promise.all(
      Array.from({ length: TURNS }, (_, number) => submitTurn(chaos, `turn-${number}`, planOf(number))),
    );
    const moments = turns.map((turn, number) => ({
      turn,
      // The last one is cancelled at once: it cannot have ended by itself.
      afterMs: number === turns.length - 1 ? 0 : random.between(0, LATEST_MS),
    }));
    const cancelled = await Promise.all(
      moments.map(async ({ turn, afterMs }) => {
        await delay(afterMs);
        const before = await chaos.cluster.cancel(turn.id);
        const { status } = await chaos.cluster.untilEnded(turn.id, CASE_LIMIT_MS);
        // What was sent before the confirmation has arrived by then.
        await chaos.cluster.control.stats();
        await Promise.all(TOOL_EFFECTS.map((effect) => chaos.effects.untilArrived(effect)));
        return { turn, before: before.status, status, calls: await countCalls(turn) };
      }),
    );
    await untilAllEnded(chaos);
    const ends = new Set<TurnStatus>(['cancelled', 'completed']);
    for (const { turn, before, status, calls } of cancelled) {
      expect(ends).toContain(status);
      if (before === 'cancelling' || before === 'cancelled') expect(status).toBe('cancelled');
      else expect(before).toBe(status);
      expect({ turn: turn.id, ...(await countCalls(turn)) }).toEqual({ turn: turn.id, ...calls });
    }
    expect(cancelled.filter(({ status }) => status === 'cancelled')).not.toEqual([]);
    await checkTruth(chaos, turns, ['cancelled', 'completed']);

    // What is left of them is a conversation that can go on.
    for (const { sessionId } of turns) await chaos.cluster.submit({ sessionId }, 'Hello');
    await untilAllEnded(chaos);
    expect(await chaos.cluster.control.stats()).toMatchObject({ rejected: 0 });
  },
  CASE_LIMIT_MS,
);
