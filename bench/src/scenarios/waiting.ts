import { submitMany, untilNoneOpen } from '../load.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';
import { cpuShare } from '../vitals.ts';

const TOKENS_PER_SECOND = 50;
const KIB = 1024;

/** Turns that all wait for their model at once, on one worker process. */
export const waiting: Scenario = {
  name: 'waiting',
  async run({ stage, progress, quick }) {
    const count = quick ? 200 : 2_000;
    const modelMs = 10_000;
    progress.begin('waiting', 4);
    progress.step('warm-up');
    const words = Array.from({ length: (modelMs / 1_000) * TOKENS_PER_SECOND }, () => 'word ').join('');
    await stage.setModel({ rules: [{ reply: { text: 'Hello to you.' } }] });
    const turnpike = await Turnpike.start(stage, {
      workers: 1,
      environment: { CONCURRENCY: String(count) },
    });
    const [worker] = turnpike.workers;
    if (worker === undefined) throw new Error('There is no worker.');
    await submitMany(turnpike, quick ? 200 : 1_000);
    await untilNoneOpen(turnpike);
    await stage.setModel({
      // Five tokens per delta, about as many as the real API sends.
      defaults: { tokens_per_second: TOKENS_PER_SECOND },
      rules: [{ reply: { text: words } }],
    });
    const idle = await worker.vitals({ collect: true });

    progress.step(`${count} turns are submitted`);
    await stage.model.vitals();
    const began = performance.now();
    await submitMany(turnpike, count);
    const submittedMs = performance.now() - began;
    // All are running, and none has ended yet.
    progress.step(`${count} turns wait`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(500, modelMs / 2 - submittedMs / 2)));
    const busy = await worker.vitals();
    const { rows } = await turnpike.database.pool.query<{ running: number }>(
      `SELECT count(*)::int AS running FROM turns WHERE status = 'in_progress'`,
    );
    progress.step('until all are done');
    await untilNoneOpen(turnpike);
    const end = await worker.vitals();
    const model = await stage.model.vitals();
    const { rows: times } = await turnpike.database.pool.query<{ wall: number; longest: number }>(
      `SELECT extract(epoch FROM max(finished_at) - min(created_at))::float AS wall,
              extract(epoch FROM max(finished_at - started_at))::float AS longest
       FROM (SELECT * FROM turns ORDER BY id DESC LIMIT ${count}) AS newest`,
    );
    await turnpike.stop();
    const running = rows[0]?.running ?? 0;
    const wallMs = (times[0]?.wall ?? 0) * 1_000;
    return [
      { what: `running at once, of ${count}`, value: running, unit: 'turns' },
      {
        what: 'until all are done, to the time of the model',
        value: wallMs / modelMs,
        unit: 'x',
        target: { atMost: 1.3 },
      },
      {
        what: 'the longest turn, to the time of the model',
        value: ((times[0]?.longest ?? 0) * 1_000) / modelMs,
        unit: 'x',
      },
      {
        what: 'memory of the worker (RSS) for a waiting turn',
        value: (busy.rss - idle.rss) / KIB / Math.max(1, running),
        unit: 'KiB',
        target: { atMost: 150 },
      },
      {
        what: 'heap of the worker for a waiting turn',
        value: (busy.heapUsed - idle.heapUsed) / KIB / Math.max(1, running),
        unit: 'KiB',
      },
      { what: 'event-loop lag while they start: p99', value: busy.lagP99, unit: 'ms' },
      {
        what: 'event-loop lag while they stream and end: p99',
        value: end.lagP99,
        unit: 'ms',
        target: { atMost: 50 },
      },
      { what: 'processor of the worker', value: cpuShare(end), unit: 'of one' },
      { what: 'processor of the simulator', value: cpuShare(model), unit: 'of one' },
    ];
  },
};
