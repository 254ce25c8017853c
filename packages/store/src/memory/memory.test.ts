import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  LeaseLostError,
  MemoryFullError,
  newId,
  type ToolOutput,
  type MemoryCallScope,
  type MemoryStore,
} from '@turnpike/contract';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { createMemoryStore } from './memory.ts';
import { changeLimits } from '../tenants/tenant-limits.ts';
import { createTenant } from '../tenants/tenants.ts';

let given: Awaited<ReturnType<typeof createTestDatabase>>;
let database: Database;
let memory: MemoryStore;
let tenantId: string;

const open = (poolSize: number): Database =>
  openDatabase({ url: given.url, poolSize, applicationName: 'memory-test', onError: () => undefined });
const output = (text: string): ToolOutput => ({ content: [{ type: 'text', text }], isError: false });

beforeAll(async () => {
  given = await createTestDatabase();
});
afterAll(() => given.drop());
beforeEach(async () => {
  database = open(8);
  memory = createMemoryStore(database);
  tenantId = await createTenant(database, 'Acme');
});
afterEach(() => database.close());

/** A call of a turn that a worker holds, at epoch 1, for a minute. */
async function startCall(namespace = 'default', ofTenant = tenantId): Promise<MemoryCallScope> {
  const [turnId, sessionId, toolCallId] = [newId('turn'), newId('session'), newId('toolCall')];
  const agentId = newId('agent');
  await database.pool.query(`INSERT INTO sessions (id, tenant_id, agent_id) VALUES ($1, $2, $3)`, [
    sessionId,
    ofTenant,
    agentId,
  ]);
  await database.pool.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, status, epoch,
                        leased_until, dispatched_at, deadline_at)
     VALUES ($1, $2, $3, 1, $4, 1, 'in_progress', 1, now() + interval '1 minute', now(), now() + interval '1 hour')`,
    [turnId, ofTenant, sessionId, agentId],
  );
  await database.pool.query(
    `INSERT INTO tool_calls (id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, effect, status)
     VALUES ($1, $2, $3, 0, 0, 'toolu_1', 'memory', '{}', 'idempotent', 'started')`,
    [toolCallId, ofTenant, turnId],
  );
  return { tenantId: ofTenant, namespace, turnId, epoch: 1, toolCallId };
}

const write = (scope: MemoryCallScope, path: string, content: string): Promise<ToolOutput> =>
  memory.once(scope, async (files) => {
    await files.write(path, content);
    return output(`wrote ${content}`);
  });

/** The files of a memory. */
const contents = (namespace = 'default', ofTenant = tenantId): Promise<Record<string, string | null>> =>
  memory.read({ tenantId: ofTenant, namespace }, async (files) =>
    Object.fromEntries(
      await Promise.all((await files.list()).map(async ({ path }) => [path, await files.read(path)])),
    ),
  );

test('files are written, replaced, renamed and deleted, and read back unchanged', async () => {
  await write(await startCall(), '/memories/b', 'é');
  await write(await startCall(), '/memories/a/x', 'one');
  await write(await startCall(), '/memories/b', 'éé');
  const scope = { tenantId, namespace: 'default' };
  expect(await memory.read(scope, (files) => files.list())).toEqual([
    { path: '/memories/a/x', bytes: 3 },
    { path: '/memories/b', bytes: 4 },
  ]);
  await memory.once(await startCall(), async (files) => {
    await files.write('/memories/c', 'three');
    await files.move([{ from: '/memories/a/x', to: '/memories/n/x' }]);
    await files.remove(['/memories/b', '/memories/none']);
    expect(await files.read('/memories/n/x')).toBe('one');
    return output('done');
  });
  expect(await contents()).toEqual({ '/memories/c': 'three', '/memories/n/x': 'one' });
});

test('a memory belongs to one tenant and one namespace', async () => {
  const other = await createTenant(database, 'Other');
  await write(await startCall(), '/memories/a', 'ours');
  await write(await startCall('team'), '/memories/a', 'team');
  await write(await startCall('default', other), '/memories/a', 'theirs');
  await memory.once(await startCall('default', other), async (files) => {
    await files.remove(['/memories/a']);
    return output('removed');
  });
  expect(await contents()).toEqual({ '/memories/a': 'ours' });
  expect(await contents('team')).toEqual({ '/memories/a': 'team' });
  expect(await contents('default', other)).toEqual({});
});

test('a repeated call changes nothing and returns its first output, under a later lease too', async () => {
  const scope = await startCall();
  const first = await write(scope, '/memories/a', 'first');
  await write(await startCall(), '/memories/a', 'by another');
  expect(await write(scope, '/memories/a', 'again')).toEqual(first);
  await database.pool.query(`UPDATE turns SET epoch = 2 WHERE id = $1`, [scope.turnId]);
  expect(await write({ ...scope, epoch: 2 }, '/memories/a', 'once more')).toEqual(first);
  expect(await contents()).toEqual({ '/memories/a': 'by another' });
});

test('a call that is made twice at once is applied once', async () => {
  const scope = await startCall();
  const second = createMemoryStore(database);
  let times = 0;
  const work = async (): Promise<ToolOutput> => output(`time ${(times += 1)}`);
  const outputs = await Promise.all([memory.once(scope, work), second.once(scope, work)]);
  expect(outputs).toEqual([output('time 1'), output('time 1')]);
});

/** Ways in which a lease ends. */
const ENDS: [string, string][] = [
  ['another worker claimed the turn', `epoch = 2`],
  ['the lease ran out', `leased_until = now() - interval '1 millisecond'`],
  ['the turn ended', `status = 'failed', leased_until = NULL, finished_at = now()`],
  ['the turn was given back', `status = 'queued', leased_until = NULL`],
];

test.each(ENDS)('where %s before, the work is not even begun', async (_, change) => {
  const scope = await startCall();
  await database.pool.query(`UPDATE turns SET ${change} WHERE id = $1`, [scope.turnId]);
  let begun = false;
  const late = memory.once(scope, async () => {
    begun = true;
    return output('late');
  });
  await expect(late).rejects.toBeInstanceOf(LeaseLostError);
  expect(begun).toBe(false);
});

test.each(ENDS)('where %s while the work was done, nothing of it is written', async (_, change) => {
  const scope = await startCall();
  const late = memory.once(scope, async (files) => {
    await files.write('/memories/zombie', 'x');
    await database.pool.query(`UPDATE turns SET ${change} WHERE id = $1`, [scope.turnId]);
    return output('late');
  });
  await expect(late).rejects.toBeInstanceOf(LeaseLostError);
  expect(await contents()).toEqual({});
  const { rows } = await database.pool.query(`SELECT FROM memory_calls WHERE tool_call_id = $1`, [
    scope.toolCallId,
  ]);
  expect(rows).toEqual([]);
});

test('a claim during the commit of a change waits for it, so no worker without a lease writes after it', async () => {
  const scope = await startCall();
  await database.pool.query(`
    CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
    CREATE TRIGGER hold_commit AFTER INSERT ON memory_calls FOR EACH ROW EXECUTE FUNCTION hold_commit()`);
  const holder = await database.pool.connect();
  const waiting = async (count: number): Promise<boolean> => {
    const { rows } = await holder.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted
         AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`,
    );
    return rows[0]?.count === count;
  };
  await holder.query('SELECT pg_advisory_lock(42)');
  const order: string[] = [];
  const change = write(scope, '/memories/a', 'x').then(() => order.push('written'));
  await untilTrue('the change is being committed', () => waiting(1));
  const claim = database.pool
    .query(`UPDATE turns SET epoch = epoch + 1 WHERE id = $1`, [scope.turnId])
    .then(() => order.push('claimed'));
  await untilTrue('the claim waits for the lock', () => waiting(2));
  await holder.query('SELECT pg_advisory_unlock(42)');
  await Promise.all([change, claim]);
  holder.release();
  await database.pool.query('DROP TRIGGER hold_commit ON memory_calls; DROP FUNCTION hold_commit');
  expect(order.toSorted()).toEqual(['claimed', 'written']);
  expect(await contents()).toEqual({ '/memories/a': 'x' });
});

test('a turn of another tenant is not accepted as a lease', async () => {
  const other = await createTenant(database, 'Other');
  const theirs = await startCall('default', other);
  await expect(write({ ...theirs, tenantId }, '/memories/a', 'x')).rejects.toBeInstanceOf(LeaseLostError);
});

test('work that fails changes nothing, and can be repeated', async () => {
  const scope = await startCall();
  const failing = memory.once(scope, async (files) => {
    await files.write('/memories/a', 'x');
    throw new RangeError('no');
  });
  await expect(failing).rejects.toThrow(RangeError);
  expect(await contents()).toEqual({});
  expect(await write(scope, '/memories/a', 'y')).toEqual(output('wrote y'));
});

test('changes of one memory are made one after another, in whichever process', async () => {
  const elsewhere = open(4);
  const there = createMemoryStore(elsewhere);
  const scopes = await Promise.all(Array.from({ length: 20 }, () => startCall()));
  await Promise.all(
    scopes.map((scope, n) =>
      (n % 2 === 0 ? memory : there).once(scope, async (files) => {
        const count = Number((await files.read('/memories/count')) ?? '0');
        await files.write('/memories/count', String(count + 1));
        return output('counted');
      }),
    ),
  );
  await elsewhere.close();
  expect(await contents()).toEqual({ '/memories/count': '20' });
});

test('many concurrent changes of one tenant leave connections to other tenants', async () => {
  const scopes = await Promise.all(Array.from({ length: 10 }, (_, n) => startCall(`n${n}`)));
  const small = open(2);
  const store = createMemoryStore(small);
  await Promise.all(
    scopes.map((scope) =>
      store.once(scope, async (files) => {
        await small.pool.query('SELECT 1');
        await files.write('/memories/a', 'x');
        return output('done');
      }),
    ),
  );
  await small.close();
  expect(await contents('n9')).toEqual({ '/memories/a': 'x' });
});

test('memory files outlive the session that wrote them, its calls do not', async () => {
  const scope = await startCall();
  await write(scope, '/memories/a', 'x');
  await database.pool.query(`DELETE FROM sessions WHERE id = (SELECT session_id FROM turns WHERE id = $1)`, [
    scope.turnId,
  ]);
  const { rows } = await database.pool.query(`SELECT FROM memory_calls WHERE tool_call_id = $1`, [
    scope.toolCallId,
  ]);
  expect(rows).toEqual([]);
  expect(await contents()).toEqual({ '/memories/a': 'x' });
});

test('the limits on files and bytes hold for all memories of a tenant together, under concurrent writes too', async () => {
  await changeLimits(database.pool, tenantId, { max_memory_files: 3, max_memory_bytes: 100 });
  const scopes = await Promise.all(Array.from({ length: 8 }, (_, n) => startCall(`space${n}`)));
  const others = createMemoryStore(database);
  const written = await Promise.allSettled(
    scopes.map((scope, n) =>
      (n % 2 === 0 ? memory : others).once(scope, async (files) => {
        await files.write('/memories/a', 'x'.repeat(30));
        return output('done');
      }),
    ),
  );
  expect(written.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  for (const each of written)
    if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(MemoryFullError);
  const count = async (): Promise<unknown> =>
    (
      await database.pool.query(
        'SELECT count(*)::int AS files, sum(octet_length(content))::int AS bytes FROM memory_files WHERE tenant_id = $1',
        [tenantId],
      )
    ).rows[0];
  expect(await count()).toEqual({ files: 3, bytes: 90 });

  const [first] = written.flatMap(({ status }, n) => (status === 'fulfilled' ? [`space${n}`] : []));
  const change = async (content: string) => write(await startCall(first), '/memories/a', content);
  await change('x'.repeat(40));
  await expect(change('é'.repeat(21))).rejects.toThrow('100 bytes');
  // Files above a limit that was lowered may shrink.
  await changeLimits(database.pool, tenantId, { max_memory_bytes: 10, max_memory_files: 1 });
  await change('x'.repeat(39));
  expect(await count()).toEqual({ files: 3, bytes: 99 });
});
