import { setTimeout as delay } from 'node:timers/promises';
import { untilTrue } from '../../support/until-true.ts';
import type { ChaosCluster, ChaosWorker } from './chaos-cluster.ts';
import type { Fault } from './fault-injector.ts';
import type { SeededRandom } from './seeded-random.ts';

const MOST_LATE_MS = 300;

interface Lease {
  turnId: string;
  epoch: number;
}

/** A lease that was held by a worker when it was frozen. */
export interface FrozenLease extends Lease {
  /** False until the first heartbeat of a turn that was handed over: the worker may not know of it. */
  confirmed: boolean;
}

/**
 * Freezes a worker until its leases are over and another one is at work on its turns, and then for a
 * moment. Throws where it does not say, when it wakes up, that it lost a turn that it knew of and another one took.
 */
export const freezeWorker: Fault = async (chaos, random) => {
  const worker = random.pick([...chaos.workers]);
  if (worker === undefined) return false;
  const leases = await freezeBeyondLeases(chaos, random, worker);
  for (const { turnId, epoch } of await readLost(chaos, leases)) {
    await untilTrue(`${worker.name} says that it lost ${turnId} (epoch ${epoch})`, () =>
      saysLost(worker, turnId, epoch),
    );
  }
  return leases.length > 0;
};

/** Returns the leases that it held; it is awake then. */
export async function freezeBeyondLeases(
  chaos: ChaosCluster,
  random: SeededRandom,
  worker: ChaosWorker,
): Promise<FrozenLease[]> {
  chaos.freezeWorker(worker);
  const leases = await readLeases(chaos, worker);
  await untilTrue('another one is at work on the turns of the frozen one', () => areTaken(chaos, leases));
  await delay(random.between(0, MOST_LATE_MS));
  chaos.thawWorker(worker);
  return leases;
}

function saysLost({ program }: ChaosWorker, turnId: string, epoch: number): boolean {
  return program.lines.some(
    (line) =>
      line.includes('The lease was lost') && line.includes(turnId) && line.includes(`"epoch":${epoch}`),
  );
}

async function readLeases(chaos: ChaosCluster, { program }: ChaosWorker): Promise<FrozenLease[]> {
  const { rows } = await chaos.cluster.database.pool.query<FrozenLease>(
    `SELECT id AS "turnId", epoch, lost_leases >= 0 AS confirmed
     FROM turns WHERE leased_until > now() AND worker_id ~ $1`,
    [`-${program.process.pid}-[0-9a-f]{8}$`],
  );
  return rows;
}

/** True once all of these leases are over, and each turn was taken or has ended. */
async function areTaken(chaos: ChaosCluster, leases: readonly FrozenLease[]): Promise<boolean> {
  const { rows } = await chaos.cluster.database.pool.query<{ left: number }>(
    `SELECT count(*)::int AS left
     FROM unnest($1::text[], $2::int[]) AS lease(id, epoch) JOIN turns ON turns.id = lease.id
     WHERE turns.epoch = lease.epoch AND turns.finished_at IS NULL`,
    [leases.map((lease) => lease.turnId), leases.map((lease) => lease.epoch)],
  );
  return rows[0]?.left === 0;
}

/** Those that it knew of and another worker took later. */
async function readLost(chaos: ChaosCluster, held: readonly FrozenLease[]): Promise<Lease[]> {
  const leases = held.filter(({ confirmed }) => confirmed);
  const { rows } = await chaos.cluster.database.pool.query<Lease>(
    `SELECT lease.id AS "turnId", lease.epoch
     FROM unnest($1::text[], $2::int[]) AS lease(id, epoch) JOIN turns ON turns.id = lease.id
     WHERE turns.epoch > lease.epoch`,
    [leases.map((lease) => lease.turnId), leases.map((lease) => lease.epoch)],
  );
  return rows;
}
