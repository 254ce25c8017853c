import { followEvents, type Follower } from '../follow-events.ts';
import type { Finding } from '../report.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';
import { cpuShare } from '../vitals.ts';
import { withWires } from '../wire.ts';

const HOLD_MS = 10_000;
const KIB = 1024;

/** Idle clients of one API process: streams and long polls, without any events. */
export const readers: Scenario = {
  name: 'readers',
  async run({ stage, progress, quick }) {
    const count = quick ? 200 : 1_000;
    progress.begin('readers', 3);
    progress.step('warm-up');
    await stage.setModel({ rules: [{ fault: { type: 'hang' } }] });
    const turnpike = await Turnpike.start(stage, { workers: 0 });
    const ids: string[] = [];
    await withWires(
      16,
      () => turnpike.wire(),
      async (wires) => {
        let left = count;
        await Promise.all(
          wires.map(async (wire) => {
            while (left-- > 0) ids.push(await turnpike.submit(wire));
          }),
        );
      },
    );
    const findings: Omit<Finding, 'scenario'>[] = [];
    const measure = async (what: string, open: () => Promise<() => void>): Promise<void> => {
      progress.step(`${count} ${what}`);
      const idle = await turnpike.api.vitals({ collect: true });
      const close = await open();
      await turnpike.api.vitals({ collect: true });
      await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
      const held = await turnpike.api.vitals({ collect: true });
      close();
      findings.push(
        {
          what: `${count} ${what}: memory (RSS) each`,
          value: (held.rss - idle.rss) / KIB / count,
          unit: 'KiB',
        },
        {
          what: `${count} ${what}: heap each`,
          value: (held.heapUsed - idle.heapUsed) / KIB / count,
          unit: 'KiB',
        },
        { what: `${count} ${what}: processor of the API`, value: cpuShare(held), unit: 'of one' },
        { what: `${count} ${what}: event-loop lag, p99`, value: held.lagP99, unit: 'ms' },
      );
    };
    await measure('streams', async () => {
      const followers: Follower[] = [];
      for (const id of ids) {
        followers.push(await followEvents(`${turnpike.url}/v1/turns/${id}/events`, turnpike.headers));
      }
      return () => followers.forEach((follower) => follower.close());
    });
    await measure('long polls', async () => {
      const wires = ids.map(() => turnpike.wire());
      for (const [index, wire] of wires.entries()) {
        // It ends when its connection is closed.
        wire.request('GET', `/v1/turns/${ids[index] ?? ''}?wait=60`, undefined).catch(() => undefined);
      }
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return () => void Promise.all(wires.map((wire) => wire.close()));
    });
    await turnpike.stop();
    return findings;
  },
};
