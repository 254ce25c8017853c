import { expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { SimControl } from '@turnpike/model-sim';
import { sendSignal } from '../../apps/cli/src/children/end-process.ts';
import { isThere } from '../../apps/cli/src/children/run-file.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import type { CommandLine } from './command-line.ts';
import { askFrom, idOfAgent, idOfTurn, LIMIT_MS, readFrom, useProject } from './use-project.ts';

const project = useProject();
/** A search path with a `redis-server`, where this machine has one: a further server to be left behind. */
const PATH = process.env['PATH'] ?? '';
/** What it says when the signal comes: in the short form, while Postgres starts and while the programs do. */
const MOMENTS = byLength({
  short: ['Turnpike, for development', 'Model  '],
  long: ['Turnpike, for development', 'Postgres  ', 'Model  ', 'queued  '],
});
/** The newest start. Each one but the first finds what the one before it left: its data, or its processes. */
let line: CommandLine;

/** Starts, and checks that what the start before had is still there. */
async function startAgain(environment: Record<string, string> = {}): Promise<CommandLine> {
  const before = line;
  line = project.start({ PATH, ...environment });
  await line.untilUp();
  expect(await readFrom(line, `/v1/turns/${idOfTurn(before)}`)).toMatchObject({ status: 'completed' });
  return before;
}

test(
  'a signal during the start leaves nothing running, wherever it comes',
  async () => {
    for (const moment of MOMENTS) {
      line = project.start();
      await line.untilSaid(moment);
      expect(await line.stop()).toMatchObject({ code: 0, reportedErrors: '' });
      expect(line.left()).toEqual([]);
    }
    line = project.start({ PATH });
    await line.untilUp();
  },
  LIMIT_MS,
);

test(
  'when the command line is killed, all that it started ends by itself, and the next start works',
  async () => {
    line.process.kill('SIGKILL');
    await untilTrue('nothing is left', () => line.left().length === 0, LIMIT_MS);
    await startAgain();
    expect(line.output).not.toContain('An earlier start was killed');
  },
  LIMIT_MS,
);

test(
  'servers that no process watches any more are ended by the next start, which finds their data',
  async () => {
    const servers = line.started.filter(({ name }) => name.endsWith(' server'));
    const names = servers.map(({ name }) => name);
    expect(names).toContain('postgres server');
    line.process.kill('SIGKILL');
    for (const one of line.started) if (!servers.includes(one)) sendSignal(one.pid, 'SIGKILL');
    await untilTrue('the servers are alone', () =>
      line.started.every((one) => servers.includes(one) || !isThere(one)),
    );
    const killed = await startAgain();
    expect(line.output).toContain(`ending what it left: ${names.toReversed().join(', ')}`);
    expect(killed.started.filter(isThere)).toEqual([]);
  },
  LIMIT_MS,
);

test.each(['postgres server', 'postgres'])(
  'when the database dies (%s is killed), all stops with exit code 1',
  async (victim) => {
    process.kill(line.running(victim).pid, 'SIGKILL');
    const ended = await line.untilEnded();
    expect(ended.code).toBe(1);
    expect(ended.reportedErrors).toMatch(/Postgres ended .*Log: \.turnpike\/logs\/postgres\.log/);
    expect(line.left()).toEqual([]);
    await startAgain({ DRAIN_MS: '3600000', LEASE_MS: '10000' });
  },
  LIMIT_MS,
);

test(
  'Ctrl-C while a turn runs waits for the worker; another one kills all at once, and the next start runs the turn again',
  async () => {
    const control = new SimControl(line.found(/Model +(http:\S+?),/));
    await control.setScript({ rules: [{ fault: { type: 'hang' } }] });
    const body = { agent_id: idOfAgent(line), input: 'Hello' };
    const { id } = (await askFrom(line, 'POST', '/v1/turns', body)) as Turn;
    await untilTrue('the turn runs', async () => {
      return ((await readFrom(line, `/v1/turns/${id}`)) as Turn).status === 'in_progress';
    });

    line.pressCtrlC();
    await line.untilSaid('Stopping');
    expect(line.running('worker-1')).toBeDefined();
    // The first ones may come too soon to be another keystroke.
    await untilTrue('it is killed', () => {
      line.pressCtrlC();
      return line.isOver;
    });
    const ended = await line.untilEnded();
    expect(ended.code).toBe(130);
    expect(line.left()).toEqual([]);

    await startAgain();
    await untilTrue(
      'the interrupted turn is run again',
      async () => ((await readFrom(line, `/v1/turns/${id}?wait=10`)) as Turn).status === 'completed',
      120_000,
    );
  },
  LIMIT_MS,
);

test(
  'a worker that dies is started again; when the API dies, all stops with exit code 1',
  async () => {
    process.kill(line.running('worker-1').pid, 'SIGKILL');
    await line.untilSaid('Worker 1 ended (SIGKILL)');
    await line.untilSaid('Worker 1 is back.');

    process.kill(line.running('api').pid, 'SIGKILL');
    const ended = await line.untilEnded();
    expect(ended.code).toBe(1);
    expect(ended.reportedErrors).toMatch(/The API ended \(SIGKILL\).*Log: \.turnpike\/logs\/api\.log/);
    expect(line.left()).toEqual([]);
  },
  LIMIT_MS,
);
