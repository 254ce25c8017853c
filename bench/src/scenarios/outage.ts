import { setTimeout as delay } from 'node:timers/promises';
import { submitMany, untilNoneOpen } from '../load.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';
import { cpuShare } from '../vitals.ts';

/** Turns that wait for an unavailable model, on two worker processes. */
export const outage: Scenario = {
  name: 'outage',
  async run({ stage, progress, quick }) {
    const count = quick ? 200 : 1_000;
    const measuredMs = quick ? 10_000 : 30_000;
    progress.begin('outage', 3);
    await stage.setModel({ rules: [{ fault: { type: 'status', status: 529 } }] });
    const turnpike = await Turnpike.start(stage, { workers: 2 });
    const { pool } = turnpike.database;
    const counts = async (): Promise<{ claims: number; parked: number }> => {
      const { rows } = await pool.query<{ claims: number; parked: number }>(
        `SELECT sum(attempts)::int AS claims,
                count(*) FILTER (WHERE status = 'queued' AND outage IS NOT NULL AND available_at > now())::int AS parked
         FROM turns`,
      );
      return rows[0] ?? { claims: 0, parked: 0 };
    };

    progress.step(`${count} turns are submitted, and parked`);
    await submitMany(turnpike, count);
    while ((await counts()).parked < count * 0.99) await delay(100);
    progress.step('the model is away');
    const before = await counts();
    await Promise.all(turnpike.workers.map((worker) => worker.vitals()));
    await delay(measuredMs);
    const after = await counts();
    const vitals = await Promise.all(turnpike.workers.map((worker) => worker.vitals()));

    progress.step('the model is back, until all are done');
    await stage.setModel({ rules: [{ reply: { text: 'Hello to you.' } }] });
    const back = performance.now();
    await untilNoneOpen(turnpike);
    const doneMs = performance.now() - back;
    await turnpike.stop();
    return [
      {
        what: `claims while ${count} turns are parked`,
        value: (after.claims - before.claims) / (measuredMs / 1_000),
        unit: '/s',
        target: { atMost: 1 },
      },
      {
        what: 'processor of the workers meanwhile',
        value: vitals.reduce((sum, one) => sum + cpuShare(one), 0),
        unit: 'of one',
      },
      { what: 'until all are done, once the model is back', value: doneMs / 1_000, unit: 's' },
    ];
  },
};
