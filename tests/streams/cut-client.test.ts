import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { TextSoFar, Turnpike, type TurnEvent } from '@turnpike/client';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { startChance } from '../chaos/support/seeded-random.ts';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import type { Program } from '../support/program.ts';
import { untilTrue } from '../support/until-true.ts';
import { FollowingClient } from './support/follow.ts';
import { FAST, killHolder, portOf, startSecondApi } from './support/mishaps.ts';

/** How often the connection is cut, after which of these a worker is killed, and at which the API. */
const CUTS = byLength({ short: 8, long: 20 });
const WORKERS_KILLED = new Set(byLength({ short: [2, 6], long: [4, 12] }));
const API_KILLED = byLength({ short: 4, long: 7 });
const WORDS = Array.from({ length: 300 }, (_, index) => `word${index} wört😀`).join(' ');

let cluster: Cluster | undefined;
let proxy: TcpProxy | undefined;
let second: Program | undefined;
let beside: FollowingClient | undefined;
afterEach(async () => {
  beside?.close();
  await proxy?.stop();
  await second?.end('SIGKILL');
  await cluster?.stop();
});

test(`a loop over a stream is cut ${CUTS} times, an API and workers are killed, and it notices nothing`, async () => {
  const chance = startChance();
  cluster = await Cluster.start({ workers: 2, environment: FAST });
  const running = cluster;
  await running.control.setScript({
    defaults: { tokens_per_second: 120, chunk: 3 },
    rules: [
      { match: { step: 0 }, reply: { text: 'I look at the clock.', tool_uses: [{ name: 'current_time' }] } },
      // It does not end before it was cut often enough, however slow the machine is.
      { match: { step: 1 }, reply: { text: WORDS }, fault: { type: 'hang', after_events: 150 } },
    ],
  });
  second = await startSecondApi(running);
  proxy = await startTcpProxy(portOf(second));
  const link = proxy;
  const turnpike = new Turnpike({ baseUrl: `http://127.0.0.1:${link.port}`, apiKey: running.apiKey });
  const agent = await turnpike.agents.create({
    name: 'a',
    model: 'claude-sonnet-4-5',
    tools: [{ type: 'builtin', name: 'current_time' }],
  });
  const { id } = await turnpike.turns.submit({ agent_id: agent.id, input: 'What time is it?' });
  // A real EventSource, of the npm package, reads the same turn at the other API.
  const address = `http://127.0.0.1:${portOf(running.api)}/v1/turns/${id}/events`;
  beside = new FollowingClient(address, running.apiKey);

  const events: TurnEvent[] = [];
  // The texts of the steps as a client has them that joins the pieces, and no more.
  const joined: string[] = [''];
  const soFar = new TextSoFar();
  const shown: string[] = [];
  const reading = (async () => {
    for await (const event of turnpike.turns.stream(id)) {
      events.push(event);
      shown.push(soFar.take(event));
      if (event.type === 'step.started' || event.type === 'step.restarted') joined.push('');
      if (event.type === 'message.delta') joined.push(String(joined.pop()) + event.text);
    }
  })();
  const waiting = turnpike.turns.wait(id, { timeoutMs: 150_000 });

  const isOver = (): boolean => events.at(-1)?.type === 'turn.completed';
  for (let number = 0; number < CUTS; number++) {
    await delay(chance.between(0, 400));
    const { connections } = link;
    if (number === API_KILLED) {
      await second.end('SIGKILL');
      second = await startSecondApi(running);
      link.retarget(portOf(second));
    } else link.drop();
    if (WORKERS_KILLED.has(number)) {
      await killHolder(running, id);
      await running.startWorker();
    }
    expect(isOver()).toBe(false);
    await untilTrue('it came back', () => link.connections > connections);
  }
  await untilTrue(
    'the stream is over',
    async () => {
      await running.control.release();
      return isOver();
    },
    120_000,
  );
  await reading;

  const turn = await waiting;
  expect(turn).toMatchObject({ status: 'completed', output_text: WORDS });
  const facts = events.filter((event) => 'sequence_number' in event);
  const { rows } = await running.database.pool.query<{ number: number; type: string }>(
    `SELECT sequence_number AS number, type FROM events WHERE turn_id = $1 ORDER BY 1`,
    [id],
  );
  expect(facts.map((fact) => ({ number: fact.sequence_number, type: fact.type }))).toEqual(rows);
  expect(facts.filter(({ type }) => type === 'step.restarted').length).toBeGreaterThan(0);
  expect(shown.at(-1)).toBe(WORDS);
  for (const text of joined)
    expect([WORDS, 'I look at the clock.'].some((all) => all.startsWith(text))).toBe(true);
  expect(joined.some((text) => text.length > 100)).toBe(true);
  await beside.untilOver();
  expect(beside.shown.types).toEqual(facts.map(({ type }) => type));
  expect(beside.shown.text).toBe(shown.at(-1));
}, 240_000);
