import { afterEach, expect, test } from '@jest/globals';
import { UNKNOWN_OUTCOME } from '@turnpike/contract';
import { boundaryOf, PORTS, SIDES } from './support/boundaries.mjs';
import { IS_LONG } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { CrashPool } from './support/crash-pool.ts';
import { endStateOf, outcomeOf } from './support/end-state.ts';
import { startChance, type SeededRandom } from './support/seeded-random.ts';
import { scriptOfPlans, submitTurn, type Plan } from './support/workload.ts';

/** Every effect, and calls that run side by side. */
const PLAN: Plan = [['once'], ['read', 'idempotent', 'reconcile']];

/** Between these, the call that may be sent once has left as far as anybody knows, and has no receipt. */
const UNKNOWN_FROM = boundaryOf('after', 'lease.advance', 1);
const UNKNOWN_UNTIL = boundaryOf('before', 'lease.advance', 2);

/** A crash here leaves a call with the effect `reconcile` to be asked about: one that never left, and one that did. */
const BEFORE_ASKING = [boundaryOf('after', 'lease.advance', 3), boundaryOf('before', 'lease.advance', 4)];

/** The model asks these turns to come back after longer than a worker waits, so they are given back to the queue. */
const PARKED = ['parked', 'parked-before', 'parked-after'];

/** Two steps with their calls' results, and the last step. */
const SURE_WRITES = 5;

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

/**
 * In the short form one of each port, by chance: what comes after one port comes before the next one. Else all. The
 * results of calls that run side by side may be committed together, so the last writes of a turn may not come.
 */
function choose(passed: readonly string[], random: SeededRandom): string[] {
  const boundaries = passed.filter(
    (name) => portOf(name) !== 'lease.advance' || numberOf(name) <= SURE_WRITES,
  );
  if (IS_LONG) return boundaries;
  const ports = new Set(boundaries.map(portOf));
  return [...ports].flatMap((port) => random.pick(boundaries.filter((name) => portOf(name) === port)) ?? []);
}

/** In the short form one of them, by chance. */
function chooseOne(values: readonly string[], random: SeededRandom): string[] {
  if (IS_LONG) return [...values];
  const one = random.pick(values);
  return one === undefined ? [] : [one];
}

/** A boundary without its number. */
function kindOf(boundary: string): string {
  return boundary.replace(/ \d+$/, '');
}

function numberOf(boundary: string): number {
  return Number(/ (\d+)$/.exec(boundary)?.[1]);
}

/** A boundary without its side and number. */
function portOf(boundary: string): string {
  return kindOf(boundary).replace(/^\w+ /, '');
}

test(
  'a worker dies at every boundary between two facts: the end is the one of a turn without a crash',
  async () => {
    const random = startChance();
    // Long enough that no lease is lost but by a crash, however slow the machine is.
    chaos = await ChaosCluster.start({ workers: 0, environment: { LEASE_MS: '8000' } });
    const rules = PARKED.map((turn) => ({
      match: { turn, step: 0 },
      times: 1,
      fault: { type: 'status' as const, status: 429, headers: { 'retry-after-ms': '6000' } },
    }));
    const defaults = { first_token_ms: 0, tokens_per_second: 100_000 };
    await chaos.cluster.control.setScript(scriptOfPlans({ defaults, rules }, [PLAN]));

    const clean = await submitTurn(chaos, 'clean', PLAN);
    const parked = await submitTurn(chaos, 'parked', PLAN);
    const pool = await CrashPool.create(chaos);
    await pool.run({});
    const passed = pool.firstAttempt(clean.id);
    const released = pool.firstAttempt(parked.id).filter((boundary) => boundary.includes('release'));

    const cases = [
      ...choose(passed, random).map((boundary, index) => ({ marker: `at-${index}`, crashes: [boundary] })),
      ...chooseOne(released, random).map((boundary) => ({
        marker: `parked-${boundary.split(' ')[0]}`,
        crashes: [boundary],
      })),
      // A tool is asked how a call ended after a crash only: so here two workers die.
      ...chooseOne(SIDES, random).flatMap((side) =>
        chooseOne(BEFORE_ASKING, random).map((first) => ({
          marker: `asked-${side}-${BEFORE_ASKING.indexOf(first)}`,
          crashes: [first, boundaryOf(side, 'tools.reconcile', 1)],
        })),
      ),
    ];
    const crashes = cases.flatMap((one) => one.crashes);
    const everyKind = SIDES.flatMap((side) => PORTS.map((port) => `${side} ${port}`));
    if (IS_LONG) expect(new Set(crashes.map(kindOf))).toEqual(new Set(everyKind));
    expect(new Set(crashes.map(portOf))).toEqual(new Set(PORTS));
    process.stdout.write(`[chaos] ${crashes.length} crashes, of ${passed.length} boundaries of a turn\n`);

    const turns = await Promise.all(
      cases.map(async (one) => ({ ...one, turn: await submitTurn(chaos, one.marker, PLAN) })),
    );
    await pool.run(Object.fromEntries(turns.map((one) => [one.turn.id, one.crashes])));

    const truth = await checkTruth(chaos, [clean, parked, ...turns.map(({ turn }) => turn)]);
    const stored = new Map(truth.turns.map((turn) => [turn.id, turn]));
    const ends = turns.map(({ turn, ...one }) => {
      const found = stored.get(turn.id);
      const once = found?.toolCalls.find((call) => call.name === 'once');
      // On a slow machine a lease may be lost without a crash: then the second crash comes first.
      const died = pool.crashesOf(turn.id).toSorted();
      return { ...one, died, once: once && outcomeOf(once), end: found && endStateOf(found, turn, chaos) };
    });
    const whole = stored.get(clean.id);
    const end = whole && endStateOf(whole, clean, chaos);
    const unknown = passed.slice(passed.indexOf(UNKNOWN_FROM), passed.indexOf(UNKNOWN_UNTIL) + 1);
    expect(ends).toEqual(
      cases.map(({ marker, crashes: chosen }) => ({
        marker,
        crashes: chosen,
        died: chosen.toSorted(),
        once: unknown.includes(chosen[0] ?? '')
          ? ['unknown', true, [UNKNOWN_OUTCOME]]
          : ['completed', false, [`once is done for ${marker}`]],
        end,
      })),
    );
  },
  CASE_LIMIT_MS,
);
