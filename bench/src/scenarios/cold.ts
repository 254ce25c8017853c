import { clientsOf } from '../run-clients.ts';
import type { Scenario } from '../scenario.ts';
import { median } from '../statistics.ts';
import { Turnpike } from '../turnpike.ts';

const CLIENTS = 64;
/** A figure of fewer turns is mostly chance. */
const TURNS_OF_WINDOW = 100;
const WARM_TURNS = 3_000;
/** The speed that a worker comes to: the median of the last windows. */
const LAST_WINDOWS = 10;
const SHARE_OF_SPEED = 0.9;

/** How many turns a new worker takes to come to its speed, by its processor time a turn. */
export const cold: Scenario = {
  name: 'cold',
  async run({ stage, progress, quick }) {
    const workers = quick ? 3 : 5;
    await stage.setModel({ rules: [{ reply: { text: 'Hello to you.' } }] });
    progress.begin('cold', workers + 1);
    progress.step('warm-up of the API');
    const turnpike = await Turnpike.start(stage, { workers: 1 });
    await clientsOf(turnpike, CLIENTS).run(WARM_TURNS);
    const turns: number[] = [];
    const firsts: number[] = [];
    for (let number = 0; number < workers; number += 1) {
      progress.step(`worker ${number + 1}`);
      await turnpike.replaceWorkers(1);
      const [worker] = turnpike.workers;
      if (worker === undefined) throw new Error('There is no worker.');
      await worker.vitals();
      const clients = clientsOf(turnpike, CLIENTS);
      const windows: number[] = [];
      while (windows.length < WARM_TURNS / TURNS_OF_WINDOW) {
        await clients.run(TURNS_OF_WINDOW);
        windows.push((await worker.vitals()).cpuMs / TURNS_OF_WINDOW);
      }
      const speed = median(windows.slice(-LAST_WINDOWS));
      turns.push(turnsUntil(windows, speed / SHARE_OF_SPEED));
      firsts.push((windows[0] ?? 0) / speed);
    }
    await turnpike.stop();
    return [
      {
        what: `turns until a new worker has ${SHARE_OF_SPEED * 100} % of its speed`,
        value: median(turns),
        unit: 'turns',
        target: { atMost: 300 },
      },
      {
        what: `processor time of its first ${TURNS_OF_WINDOW}, to later ones`,
        value: median(firsts),
        unit: 'x',
      },
    ];
  },
};

/** Turns before the first two windows in a row that take no longer than this. */
function turnsUntil(windows: readonly number[], most: number): number {
  const first = windows.findIndex((ms, index) => ms <= most && (windows[index + 1] ?? 0) <= most);
  return (first === -1 ? windows.length : first) * TURNS_OF_WINDOW;
}
