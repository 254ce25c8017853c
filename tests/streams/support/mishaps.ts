import type { Cluster } from '../../support/cluster.ts';
import type { Program } from '../../support/program.ts';
import { untilTrue } from '../../support/until-true.ts';

/** So fast that what dies is replaced within seconds, and so patient that no turn is given up for it. */
export const FAST = {
  JOB_AGE_MS: '300',
  LEASE_MS: '3000',
  MAX_LOST_LEASES: '20',
};

export const portOf = (program: Program | null | undefined): number => Number(program?.hello['port']);

/** An API beside the first one, which stays the cluster's. */
export async function startSecondApi(cluster: Cluster): Promise<Program> {
  const first = cluster.api;
  const second = await cluster.startApi();
  cluster.api = first;
  return second;
}

/** Kills the worker that runs the turn, as soon as one does. */
export async function killHolder({ database, workers }: Cluster, turnId: string): Promise<void> {
  let holder: Program | undefined;
  await untilTrue('a worker runs the turn', async () => {
    const held = `SELECT worker_id AS id FROM turns WHERE id = $1 AND leased_until > now()`;
    const { rows } = await database.pool.query<{ id: string }>(held, [turnId]);
    holder = workers.find(({ process: { pid } }) => rows[0]?.id.includes(`-${pid}-`));
    return holder !== undefined;
  });
  await holder?.end('SIGKILL');
}
