import { loadTurns } from '../load.ts';
import type { Finding } from '../report.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';

const WORKERS = [1, 2, 4];
const PLACES = 10;
const MODEL_MS = 1_000;

/** Throughput by the number of workers: each has few slots and the model is slow, so slots are the limit. */
export const scale: Scenario = {
  name: 'scale',
  async run({ stage, progress, quick }) {
    progress.begin('scale', 1 + WORKERS.length);
    progress.step('warm-up');
    await stage.setModel({
      defaults: { first_token_ms: MODEL_MS },
      rules: [{ reply: { text: 'Hello to you.' } }],
    });
    const turnpike = await Turnpike.start(stage, {
      workers: 1,
      environment: { CONCURRENCY: String(PLACES) },
    });
    await loadTurns(turnpike, PLACES);
    const findings: Omit<Finding, 'scenario'>[] = [];
    let alone = 0;
    for (const workers of WORKERS) {
      progress.step(`${workers} workers`);
      await turnpike.addWorkers(workers - turnpike.workers.length);
      const rate = await loadTurns(turnpike, workers * PLACES * (quick ? 5 : 15));
      if (workers === 1) alone = rate;
      const at = `${workers} ${workers === 1 ? 'worker' : 'workers'} of ${PLACES} places`;
      findings.push(
        { what: `${at}: turns`, value: rate, unit: '/s' },
        { what: `${at}: to one worker`, value: rate / alone, unit: 'x' },
        {
          what: `${at}: to what their places can take`,
          value: rate / ((workers * PLACES * 1_000) / MODEL_MS),
          unit: 'x',
        },
      );
    }
    await turnpike.stop();
    return findings;
  },
};
