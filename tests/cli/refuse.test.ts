import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { freePort } from '../support/free-port.ts';
import { idOfTurn, LIMIT_MS, readFrom, useProject } from './use-project.ts';

const project = useProject();

test(
  'one directory takes one start at a time',
  async () => {
    const first = project.start();
    await first.untilUp();
    const second = await project.start().untilEnded();
    expect(second.code).toBe(1);
    expect(second.reportedErrors).toBe(
      `turnpike: Turnpike runs here already, as process ${first.process.pid}.\n`,
    );
    expect(await readFrom(first, `/v1/turns/${idOfTurn(first)}`)).toMatchObject({ status: 'completed' });
  },
  LIMIT_MS,
);

test(
  'a PORT that is asked for and taken is refused; the usual one is only preferred',
  async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const address = holder.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const refused = project.start({ PORT: port });
    const ended = await refused.untilEnded();
    expect(ended.code).toBe(1);
    expect(ended.reportedErrors).toContain(
      `turnpike: Port ${port} is taken by another program: free it, or give another one`,
    );
    expect(refused.left()).toEqual([]);
    const byOption = await project.turnpike('start', '--port', port);
    expect(byOption).toMatchObject({ code: 1, reportedErrors: ended.reportedErrors });

    holder.close();

    // Somebody else may hold it already, which is as good.
    const usual = createServer().on('error', () => undefined);
    usual.listen(3000, '127.0.0.1');
    const line = project.start({ PORT: '' });
    await line.untilUp();
    usual.close();
    expect(line.output).toMatch(/API +http:\/\/127\.0\.0\.1:\d+ \(port 3000 is taken\)/);
  },
  LIMIT_MS,
);

test(
  'a service that is named and does not answer ends the start with one line and exit code 1',
  async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const database = await project
      .start({ DATABASE_URL: `postgres://user:hidden@${nobody}/app` })
      .untilEnded();
    expect(database.code).toBe(1);
    expect(database.reportedErrors).toMatch(
      /^turnpike: The database at 127\.0\.0\.1:\d+\/app does not answer: .*\n$/,
    );
    expect(database.reportedErrors).not.toContain('hidden');

    const line = project.start({ REDIS_URL: `redis://:hidden@${nobody}` });
    const redis = await line.untilEnded();
    expect(redis.code).toBe(1);
    expect(redis.reportedErrors).toContain('REDIS_URL: ');
    expect(redis.reportedErrors).not.toContain('hidden');
    expect(line.left()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  'a program that refuses its settings ends the start with its own words',
  async () => {
    const line = project.start({ LEASE_MS: 'soon' });
    const ended = await line.untilEnded();
    expect(ended.code).toBe(1);
    expect(ended.reportedErrors).toMatch(
      /Worker \d ended \(exit code 1\): .*LEASE_MS.*Log: \.turnpike\/logs\/worker-\d\.log/,
    );
    expect(line.left()).toEqual([]);
  },
  LIMIT_MS,
);
