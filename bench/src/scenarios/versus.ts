import { startFloor } from '../floor.ts';
import { compareAccepts } from './accept.ts';
import { startLibraryPeer } from '../library-peer.ts';
import { timeTurns } from '../load.ts';
import { measureTurns, processorTotal, runTurns, type TurnCost } from '../measure-turns.ts';
import type { Finding } from '../report.ts';
import { startRestate } from '../restate.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { median, percentile } from '../statistics.ts';
import type { Subject } from '../subject.ts';
import { Turnpike } from '../turnpike.ts';

type Findings = Omit<Finding, 'scenario'>[];

/**
 * One-step turns with the same streamed model call, submit and then wait for the end: Turnpike beside the floor that
 * makes the call, beside Restate, DBOS and pg-boss. Rounds of all take turns, after a warm-up of each.
 */
export const versus: Scenario = {
  name: 'versus',
  async run({ stage, progress, quick, only }) {
    const rounds = quick ? 3 : 5;
    const roundMs = quick ? 4_000 : 8_000;
    const warmUpMs = quick ? 10_000 : 40_000;
    await stage.setModel({ rules: [{ reply: { text: 'Hello to you.' } }] });
    const subjects: Subject[] = [];
    for (const [name, start] of Object.entries(SUBJECTS)) {
      if (only.length === 0 || only.includes(name)) subjects.push(await start(stage));
    }
    progress.begin('versus', rounds + 2);
    progress.step('warm-up');
    for (const subject of subjects) await runTurns(subject, warmUpMs);
    const measured = new Map<Subject, TurnCost[]>(subjects.map((subject) => [subject, []]));
    for (let round = 0; round < rounds; round += 1) {
      progress.step(`round ${round + 1}`);
      for (const subject of subjects)
        measured.get(subject)?.push(await measureTurns(stage, subject, roundMs));
    }
    progress.step('one client');
    const times = new Map<Subject, number[]>(subjects.map((subject) => [subject, []]));
    for (let round = 0; round < (quick ? 5 : 20); round += 1) {
      for (const subject of subjects) times.get(subject)?.push(...(await timeTurns(subject, TURNS_IN_TURN)));
    }
    await Promise.all(subjects.map((subject) => subject.stop()));
    const accepts = only.length > 0 ? [] : await compareAccepts({ stage, progress, quick }, KEYED);
    return [...report(measured, times), ...accepts];
  },
};

/** One client: so many turns of each subject, one subject after another. */
const TURNS_IN_TURN = 20;
const KEYED = { idempotent: [true], clients: [64] };

/** By the name that `--only=` has for it. */
const SUBJECTS: Record<string, (stage: Stage) => Promise<Subject>> = {
  floor: (stage) => startFloor(stage, { workers: 1, callsModel: true }),
  restate: startRestate,
  dbos: (stage) => startLibraryPeer(stage, 'dbos'),
  'pg-boss': (stage) => startLibraryPeer(stage, 'pg-boss'),
  turnpike: (stage) => Turnpike.start(stage, { workers: 1 }),
};

function report(
  measured: ReadonlyMap<Subject, readonly TurnCost[]>,
  times: ReadonlyMap<Subject, readonly number[]>,
): Findings {
  const findings: Findings = [];
  const perSecond = (subject: Subject): number =>
    median((measured.get(subject) ?? []).map((round) => round.perSecond));
  const processor = (subject: Subject): number => median((measured.get(subject) ?? []).map(processorTotal));
  const oneClient = (subject: Subject): number => percentile(times.get(subject) ?? [], 0.5);
  for (const [subject, rounds] of measured) {
    findings.push({ what: `${subject.name}: turns`, value: perSecond(subject), unit: '/s' });
    for (const name of rounds[0]?.processorMs.keys() ?? []) {
      const ms = median(rounds.map((round) => round.processorMs.get(name) ?? 0));
      findings.push({ what: `${subject.name}: processor time a turn, ${name}`, value: ms, unit: 'ms' });
    }
    findings.push(
      { what: `${subject.name}: processor time a turn, all`, value: processor(subject), unit: 'ms' },
      { what: `${subject.name}: one client, p50`, value: oneClient(subject), unit: 'ms' },
    );
  }
  const ours = [...measured.keys()].find(({ name }) => name === 'turnpike');
  if (ours === undefined) return findings;
  for (const peer of measured.keys()) {
    if (peer === ours) continue;
    const target = TARGETS[peer.name];
    const ratio = (of: (subject: Subject) => number): number => of(ours) / of(peer);
    findings.push(
      {
        what: `turns, to ${peer.name}`,
        value: ratio(perSecond),
        unit: 'x',
        ...(target === undefined ? {} : { target: { atLeast: target.turns } }),
      },
      {
        what: `processor time, to ${peer.name}`,
        value: ratio(processor),
        unit: 'x',
        ...(target === undefined ? {} : { target: { atMost: target.processor } }),
      },
      {
        what: `one client, to ${peer.name}`,
        value: ratio(oneClient),
        unit: 'x',
        ...(target?.oneClient === undefined ? {} : { target: { atMost: target.oneClient } }),
      },
    );
  }
  return findings;
}

/** Turnpike to others, as ratios. */
const TARGETS: Record<string, { turns: number; processor: number; oneClient?: number }> = {
  restate: { turns: 1.1, processor: 1, oneClient: 1 },
  'floor with the model call': { turns: 0.8, processor: 1.4 },
};
