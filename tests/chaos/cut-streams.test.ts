import { afterEach, expect, test } from '@jest/globals';
import type { ScriptInput } from '@turnpike/model-sim';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { startChance } from './support/seeded-random.ts';
import type { StoredTurn } from './support/read-truth.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurn, type Plan, type PlannedTurn } from './support/workload.ts';

/** A message that makes two calls, each of which may be made only once. */
const TWO_CALLS: Plan = [['once', 'reconcile']];

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

/** The retry budget is a tenant's for a model: with one of its own, no turn is parked for the others' retries. */
async function submit(marker: string): Promise<PlannedTurn> {
  const agentId = await chaos.createAgent({ model: `claude-${marker}` });
  return submitTurn(chaos, marker, TWO_CALLS, { agentId });
}

/** The first response to each turn is cut after as many events as its marker says. */
function scriptOf(cuts: readonly number[]): ScriptInput {
  const rules = cuts.map((index) => ({
    match: { turn: `cut-${index}`, step: 0 },
    times: 1,
    fault: { type: 'cut' as const, after_events: index },
  }));
  return scriptOfPlans({ defaults: { chunk: 2 }, rules }, [TWO_CALLS]);
}

/** What must not depend on where a stream was cut. */
function endOf({ status, stepCount, steps, toolCalls, messages }: StoredTurn): unknown {
  return {
    status,
    stepCount,
    steps: steps.map(({ type, stopReason, epoch }) => ({ type, stopReason, epoch })),
    calls: toolCalls.map(({ name, status: ended, isError }) => ({ name, status: ended, isError })),
    roles: messages.map((message) => message.role),
  };
}

test(
  'the stream of a message with two tool calls is cut after every event: no tool runs before the message is whole',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({ workers: 2, environment: { LEASE_MS: '15000' } });
    const { control } = chaos.cluster;
    await control.setScript(scriptOf([]));
    const whole = await submit('whole');
    await untilAllEnded(chaos);
    const [uncut] = await control.calls();
    const events = uncut?.events ?? 0;
    expect(events).toBeGreaterThan(10);

    const cuts = Array.from({ length: events }, (_, index) => index);
    await control.setScript(scriptOf(cuts));
    const turns = await Promise.all(cuts.map((index) => submit(`cut-${index}`)));
    await untilAllEnded(chaos);
    const truth = await checkTruth(chaos, [whole, ...turns]);
    expect(new Set(truth.turns.map((turn) => JSON.stringify(endOf(turn)))).size).toBe(1);

    const calls = await control.calls();
    for (const { marker } of turns) {
      const own = calls.filter((call) => call.turn === marker && call.step === 0);
      expect(own.map((call) => call.outcome)).toEqual(['cut', 'completed']);
      const againAt = Date.parse(own[1]?.at ?? '');
      const sent = chaos.effects.arrivals.filter((arrival) => arrival.turn === marker);
      expect(sent.map((arrival) => arrival.effect).toSorted()).toEqual(['once', 'reconcile']);
      expect(sent.filter((arrival) => arrival.at < againAt)).toEqual([]);
    }
    expect(await control.stats()).toMatchObject({ duplicates: 0, cut: events });
  },
  CASE_LIMIT_MS,
);
