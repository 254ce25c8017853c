import { countRoundTrips, type RoundTrips } from '../count-round-trips.ts';
import { startFloor } from '../floor.ts';
import { loadTurns, timeTurns, untilNoneOpen } from '../load.ts';
import type { Finding } from '../report.ts';
import { alternate } from '../rounds.ts';
import type { Scenario } from '../scenario.ts';
import { median, percentile } from '../statistics.ts';
import type { Subject } from '../subject.ts';
import { Turnpike } from '../turnpike.ts';

type Findings = Omit<Finding, 'scenario'>[];

const CLOCK = { name: 'current_time', input: {} };
/** Responds at once; an input with `three steps` gets two rounds of a tool before the final response. */
const SCRIPT = {
  rules: [
    { match: { text: 'steps', step: 0 }, reply: { tool_uses: [CLOCK] } },
    { match: { text: 'steps', step: 1 }, reply: { tool_uses: [CLOCK] } },
    { reply: { text: 'Hello to you.' } },
  ],
};

/** Complete turns, from submit to end, with one API and one worker on each side. */
export const turns: Scenario = {
  name: 'turns',
  async run({ stage, progress, quick }) {
    const size = quick ? 100 : 1_000;
    const rounds = quick ? 3 : 5;
    progress.begin('turns', 7);
    progress.step('warm-up');
    await stage.setModel(SCRIPT);
    const floor = await startFloor(stage, { workers: 1 });
    const calling = await startFloor(stage, { workers: 1, callsModel: true });
    const plain = await Turnpike.start(stage, { workers: 1 });
    const keyed = await Turnpike.start(stage, { workers: 1, idempotent: true });
    const stepping = await Turnpike.start(stage, {
      workers: 1,
      agent: { tools: [{ type: 'builtin', name: 'current_time' }] },
    });
    const threeSteps: Subject = {
      name: 'turnpike, 3 steps',
      url: stepping.url,
      databaseUrl: stepping.databaseUrl,
      processes: stepping.processes,
      submit: (wire) => stepping.submit(wire, 'Take three steps.'),
      untilDone: (wire, id) => stepping.untilDone(wire, id),
      countOpen: () => stepping.countOpen(),
      stop: () => stepping.stop(),
    };
    const subjects = [floor, calling, plain, keyed, threeSteps];
    // A process runs its first thousands of turns at half its speed.
    for (const subject of subjects) await loadTurns(subject, size * 2);

    const findings: Findings = [];
    for (const [subject, base, target] of [
      [plain, floor, 0.45],
      [keyed, floor, null],
      [plain, calling, null],
      [threeSteps, calling, null],
    ] as const) {
      progress.step(`${subject.name} beside the ${base.name}`);
      const pairs = await alternate(
        rounds,
        () => loadTurns(base, size),
        () => loadTurns(subject, size),
      );
      findings.push(
        { what: `${base.name}: turns`, value: median(pairs.map(([one]) => one)), unit: '/s' },
        { what: `${subject.name}: turns`, value: median(pairs.map(([, ours]) => ours)), unit: '/s' },
        {
          what: `${subject.name}: turns, to the ${base.name}`,
          value: median(pairs.map(([one, ours]) => ours / one)),
          unit: 'x',
          ...(target === null ? {} : { target: { atLeast: target } }),
        },
      );
    }
    progress.step('one after another');
    for (const subject of subjects) {
      const times = await timeTurns(subject, quick ? 50 : 200);
      findings.push(
        { what: `${subject.name}, one after another: p50`, value: percentile(times, 0.5), unit: 'ms' },
        { what: `${subject.name}, one after another: p99`, value: percentile(times, 0.99), unit: 'ms' },
      );
    }
    progress.step('counting round trips');
    for (const subject of [floor, plain, keyed, threeSteps]) {
      await untilNoneOpen(subject);
      const alone = await countRoundTrips(stage, subject.databaseUrl, () => timeTurns(subject, 100));
      findings.push(...perTurn(`${subject.name}, one after another`, alone, 100));
      const crowd = await countRoundTrips(stage, subject.databaseUrl, () => loadTurns(subject, size));
      findings.push(...perTurn(`${subject.name}, in a crowd`, crowd, size));
    }
    await Promise.all(subjects.map((subject) => subject.stop()));
    return findings;
  },
};

/** Periodic statements, independent of the number of turns, are in the sum but not in the list. */
function perTurn(what: string, { sql, redis }: RoundTrips, count: number): Findings {
  const list = (kind: string, calls: ReadonlyMap<string, number>): Findings => [
    {
      what: `${what}: ${kind} a turn, all`,
      value: [...calls.values()].reduce((sum, value) => sum + value, 0) / count,
      unit: '',
    },
    ...[...calls]
      .filter(([, value]) => value >= count * 0.05)
      .map(([name, value]) => ({ what: `${what}: ${kind}: ${name}`, value: value / count, unit: 'a turn' })),
  ];
  return [...list('SQL', sql), ...list('Redis', redis)];
}
