import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { byLength } from '../support/test-length.ts';
import { callsOf, callTools, outputOf, registerServer, textOf } from './support/mcp-cluster.ts';
import { FixtureServer } from './support/mcp-server.ts';

/* A worker dies in the middle of calls of each effect, whose server has acted and not responded. */

const ROUNDS = byLength({ short: 2, long: 20 });

let cluster: Cluster;
let fixture: FixtureServer;

beforeAll(async () => {
  fixture = await FixtureServer.start();
  cluster = await Cluster.start({
    workers: 1,
    environment: {
      EGRESS_ALLOW: '127.0.0.1',
      LEASE_MS: '3000',

      JOB_AGE_MS: '300',
    },
  });
  await registerServer(cluster, 'crm', fixture.url);
});
afterAll(async () => {
  await fixture.stop();
  await cluster.stop();
});

test('calls of a killed worker: reads and idempotent ones are made again with their ids, one that acts once never is', async () => {
  const { id: agentId } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'crm' }] });
  for (let round = 0; round < ROUNDS; round += 1) {
    fixture.acts.splice(0);
    for (const tool of ['lookup', 'put', 'pay']) fixture.held.add(tool);
    const uses = [{ name: 'crm__lookup' }, { name: 'crm__put' }, { name: 'crm__pay' }];
    const turn = await callTools(cluster, agentId, uses);
    await untilTrue('all three act', () => fixture.acts.length === 3);
    await cluster.workers.at(-1)?.end('SIGKILL');
    fixture.held.clear();
    await cluster.startWorker();
    const ended = await cluster.untilEnded(turn.id);
    const calls = await callsOf(cluster, turn.id);
    expect([ended.status, calls.map(({ status }) => status)]).toEqual([
      'completed',
      ['completed', 'completed', 'unknown'],
    ]);
    expect(['lookup', 'put', 'pay'].map((tool) => fixture.countOf(tool))).toEqual([2, 2, 1]);
    for (const { name, id } of calls) {
      const acts = fixture.acts.filter(({ tool }) => `crm__${tool}` === name);
      expect(new Set(acts.map(({ callId }) => callId))).toEqual(new Set([id]));
    }
  }
});

test('tasks of a killed worker are asked for by the next: their calls act once, whatever their effect', async () => {
  const { id: agentId } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'crm' }] });
  for (let round = 0; round < ROUNDS; round += 1) {
    fixture.acts.splice(0);
    fixture.tasks.all.clear();
    const turn = await callTools(cluster, agentId, [{ name: 'crm__job' }, { name: 'crm__study' }]);
    const asked = (): number => new Set(fixture.tasks.asked).size;
    fixture.tasks.asked.splice(0);
    await untilTrue('both tasks are asked for', () => asked() === 2);
    await cluster.workers.at(-1)?.end('SIGKILL');
    for (const task of fixture.tasks.all.values()) task.status = 'completed';
    await cluster.startWorker();
    expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
    const calls = await callsOf(cluster, turn.id);
    expect(calls.map(({ status }) => status)).toEqual(['completed', 'completed']);
    expect(calls.map(textOf)).toEqual(['job is done {}', 'study is done {}']);
    expect(['job', 'study'].map((tool) => fixture.countOf(tool))).toEqual([1, 1]);
  }
});

test('another worker continues a turn with the list that the turn began with', async () => {
  const { id: agentId } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'crm' }] });
  fixture.acts.splice(0);
  fixture.held.add('lookup');
  const turn = await callTools(cluster, agentId, [{ name: 'crm__lookup' }]);
  await untilTrue('the call is made', () => fixture.countOf('lookup') > 0);
  await cluster.workers.at(-1)?.end('SIGKILL');
  await cluster.database.pool.query('UPDATE mcp_servers SET tools_listed_at = NULL');
  fixture.description = 'Something else by now.';
  fixture.held.clear();
  const listed = (): number => fixture.requests.filter(({ method }) => method === 'tools/list').length;
  const before = listed();
  await cluster.startWorker();
  await cluster.untilEnded(turn.id);
  expect([await outputOf(cluster, turn.id), listed()]).toEqual(['lookup k', before]);
  fixture.description = 'Looks something up.';
});
