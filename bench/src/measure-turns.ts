import { parentOf, processorMs, processorMsOfTree } from './processor-time.ts';
import { ask, type Stage } from './stage.ts';
import type { Subject } from './subject.ts';
import { withWires, Wire } from './wire.ts';

const CLIENTS = 64;

/** What turns cost while 64 clients ran them. */
export interface TurnCost {
  turns: number;
  perSecond: number;
  /** Milliseconds of processor time a turn, by process. */
  processorMs: Map<string, number>;
}

/** Each client submits a turn, waits for its end, and begins again; returns how many turns ended. */
export function runTurns(subject: Subject, forMs: number): Promise<number> {
  return withWires(
    CLIENTS,
    () => new Wire(subject.url),
    async (wires) => {
      let ended = 0;
      const end = performance.now() + forMs;
      await Promise.all(
        wires.map(async (wire) => {
          while (performance.now() < end) {
            await subject.untilDone(wire, await subject.submit(wire));
            ended += 1;
          }
        }),
      );
      return ended;
    },
  );
}

export async function measureTurns(stage: Stage, subject: Subject, forMs: number): Promise<TurnCost> {
  const before = await processorTimes(stage, subject);
  const startedAt = performance.now();
  const turns = await runTurns(subject, forMs);
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await processorTimes(stage, subject);
  const used = [...after].map(([name, ms]) => [name, (ms - (before.get(name) ?? 0)) / turns] as const);
  return { turns, perSecond: turns / seconds, processorMs: new Map(used) };
}

/** Of all processes together. */
export function processorTotal({ processorMs: used }: TurnCost): number {
  return [...used.values()].reduce((sum, ms) => sum + ms, 0);
}

/** Milliseconds by process since it started. Postgres and Redis are shared: only one subject may work at a time. */
export async function processorTimes(
  stage: Stage,
  { processes }: Pick<Subject, 'processes'>,
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const [name, pid] of Object.entries(processes)) times.set(name, await processorMs(pid));
  times.set('postgres', await processorMsOfTree(await postmasterOf(stage)));
  times.set('redis', await processorMs(stage.redisPid));
  return times;
}

async function postmasterOf({ postgresUrl }: Stage): Promise<number> {
  const client = await ask(
    postgresUrl,
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'`,
  );
  return parentOf(Number(client[0]?.['pid']));
}
