import { startFloor } from '../floor.ts';
import { loadSubmits } from '../load.ts';
import type { Finding } from '../report.ts';
import { alternate } from '../rounds.ts';
import type { Scenario } from '../scenario.ts';
import { median } from '../statistics.ts';
import type { Subject } from '../subject.ts';
import { Turnpike } from '../turnpike.ts';

const CLIENTS = [1, 16, 64];

/** Submits alone, without workers on either side. */
export const accept: Scenario = {
  name: 'accept',
  run: (bench) => compareAccepts(bench, { idempotent: [false, true], clients: CLIENTS }),
};

/** Without and with an `Idempotency-Key`, by so many clients at once. */
export async function compareAccepts(
  { stage, progress, quick }: Pick<Parameters<Scenario['run']>[0], 'stage' | 'progress' | 'quick'>,
  { idempotent, clients: clientCounts }: { idempotent: readonly boolean[]; clients: readonly number[] },
): Promise<Omit<Finding, 'scenario'>[]> {
  const seconds = quick ? 1 : 3;
  const rounds = quick ? 3 : 7;
  progress.begin('accept', 1 + idempotent.length * clientCounts.length);
  progress.step('warm-up');
  const floor = await startFloor(stage, { workers: 0 });
  const subjects: Subject[] = [];
  for (const withKey of idempotent)
    subjects.push(await Turnpike.start(stage, { workers: 0, idempotent: withKey }));
  for (const subject of [floor, ...subjects]) await loadSubmits(subject, 16, quick ? 1 : 3);
  const findings: Omit<Finding, 'scenario'>[] = [];
  for (const subject of subjects) {
    for (const clients of clientCounts) {
      progress.step(`${subject.name}, ${clients} clients`);
      const pairs = await alternate(
        rounds,
        () => loadSubmits(floor, clients, seconds),
        () => loadSubmits(subject, clients, seconds),
      );
      const of = (pick: (pair: (typeof pairs)[number]) => number): number => median(pairs.map(pick));
      const at = `${clients} ${clients === 1 ? 'client' : 'clients'}`;
      findings.push(
        { what: `floor, ${at}: submits`, value: of(([one]) => one.perSecond), unit: '/s' },
        { what: `${subject.name}, ${at}: submits`, value: of(([, ours]) => ours.perSecond), unit: '/s' },
        { what: `${subject.name}, ${at}: p50`, value: of(([, ours]) => ours.p50), unit: 'ms' },
        { what: `${subject.name}, ${at}: p99`, value: of(([, ours]) => ours.p99), unit: 'ms' },
        {
          what: `${subject.name}, ${at}: submits, to the floor`,
          value: of(([one, ours]) => ours.perSecond / one.perSecond),
          unit: 'x',
          ...(clients === 64 ? { target: { atLeast: subject.name.includes('Key') ? 0.8 : 0.6 } } : {}),
        },
        {
          what: `${subject.name}, ${at}: p50, to the floor`,
          value: of(([one, ours]) => ours.p50 / one.p50),
          unit: 'x',
          ...(clients === 1 ? { target: { atMost: 1.7 } } : {}),
        },
      );
    }
  }
  await Promise.all([floor, ...subjects].map((subject) => subject.stop()));
  return findings;
}
