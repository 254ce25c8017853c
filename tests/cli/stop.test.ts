import { expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { SimControl } from '@turnpike/model-sim';
import { sendSignal } from '../../apps/cli/src/children/end-process.ts';
import { isThere } from '../../apps/cli/src/children/run-file.ts';
import { untilTrue } from '../support/until-true.ts';
import { idOfAgent, idOfTurn, LIMIT_MS, readFrom, useProject, withRedis } from './use-project.ts';

const project = useProject();

withRedis(
  'when the command line is killed, all that it started ends by itself, and the next start works',
  async () => {
    const killed = project.start({ PATH: process.env['PATH'] ?? '' });
    await killed.untilUp();
    killed.process.kill('SIGKILL');
    await untilTrue('nothing is left', () => killed.left().length === 0, LIMIT_MS);

    const next = project.start();
    await next.untilUp();
    expect(next.output).not.toContain('An earlier start was killed');
    expect(await readFrom(next, `/v1/turns/${idOfTurn(killed)}`)).toMatchObject({ status: 'completed' });
  },
  LIMIT_MS,
);

withRedis(
  'servers that nothing is left to watch over are ended by the next start, which finds its data',
  async () => {
    const killed = project.start({ PATH: process.env['PATH'] ?? '' });
    await killed.untilUp();
    const servers = killed.started.filter(({ name }) => name.endsWith(' server'));
    expect(servers).toHaveLength(2);
    killed.process.kill('SIGKILL');
    for (const one of killed.started) if (!servers.includes(one)) sendSignal(one.pid, 'SIGKILL');
    await untilTrue('the servers are alone', () =>
      killed.started.every((one) => servers.includes(one) || !isThere(one)),
    );

    const next = project.start();
    await next.untilUp();
    expect(next.output).toContain('ending what it left: redis server, postgres server');
    expect(killed.started.filter(isThere)).toEqual([]);
    expect(await readFrom(next, `/v1/turns/${idOfTurn(killed)}`)).toMatchObject({ status: 'completed' });
  },
  LIMIT_MS,
);

test(
  'a worker that dies is started again; when the API dies, all stops with exit code 1',
  async () => {
    const line = project.start();
    await line.untilUp();
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

test(
  'when the database dies, all stops with exit code 1, also where its keeper is what was killed',
  async () => {
    for (const victim of ['postgres server', 'postgres']) {
      const line = project.start();
      await line.untilUp();
      process.kill(line.running(victim).pid, 'SIGKILL');
      const ended = await line.untilEnded();
      expect(ended.code).toBe(1);
      expect(ended.reportedErrors).toMatch(/Postgres ended .*Log: \.turnpike\/logs\/postgres\.log/);
      expect(line.left()).toEqual([]);
    }
  },
  LIMIT_MS,
);

test(
  'Ctrl-C while a turn runs waits for the worker; another one kills all at once',
  async () => {
    const line = project.start({ DRAIN_MS: '3600000', LEASE_MS: '10000' });
    await line.untilUp();
    const control = new SimControl(line.found(/Model +(http:\S+?),/));
    await control.setScript({ rules: [{ fault: { type: 'hang' } }] });
    const response = await fetch(`${line.found(/API +(http:\S+)/)}/v1/turns`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await line.key()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: idOfAgent(line), input: 'Hello' }),
    });
    expect(response.status).toBe(202);
    const { id } = (await response.json()) as Turn;
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

    const next = project.start();
    await next.untilUp();
    await untilTrue(
      'the turn that was cut off is run again',
      async () => {
        return ((await readFrom(next, `/v1/turns/${id}?wait=10`)) as Turn).status === 'completed';
      },
      120_000,
    );
  },
  LIMIT_MS,
);

test(
  'a signal during the start leaves nothing running, wherever it comes',
  async () => {
    for (const moment of ['Turnpike, for development', 'Postgres  ', 'Model  ', 'queued  ']) {
      const line = project.start();
      await line.untilSaid(moment);
      expect(await line.stop()).toMatchObject({ code: 0, reportedErrors: '' });
      expect(line.left()).toEqual([]);
    }
    const line = project.start();
    await line.untilUp();
  },
  LIMIT_MS,
);
