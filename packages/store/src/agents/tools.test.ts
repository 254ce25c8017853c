import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId, toolConfigSchema, type ToolConfig } from '@turnpike/contract';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { transaction } from '../database/sql.ts';
import { createTenant } from '../tenants/tenants.ts';
import { insertTool, listTools, namedTools, readTool, updateTool } from './tools.ts';

let database: Database;
let drop: () => Promise<void>;
let [ours, theirs] = ['', ''];

beforeAll(async () => {
  const given = await createTestDatabase();
  drop = given.drop;
  database = openDatabase({ url: given.url, poolSize: 4, applicationName: 'test', onError: () => undefined });
  [ours, theirs] = [await createTenant(database, 'Ours'), await createTenant(database, 'Theirs')];
});
afterAll(async () => {
  await database.close();
  await drop();
});

const config: ToolConfig = toolConfigSchema.parse({
  description: 'A tool.',
  input_schema: { type: 'object', properties: { b: {}, a: {} } },
  url: 'https://tools.example/run',
  headers: { Authorization: { secret: 'crm' } },
});

const insert = (name: string, tenantId = ours, id = newId('tool')) =>
  insertTool(database.pool, {
    id,
    tenantId,
    name,
    config,
    signingSecret: { envelope: `sealed for ${id}`, version: 1 },
  });

test('a tool is read back as it was stored, without its key', async () => {
  const tool = await insert('whole');
  expect(tool).toMatchObject({ ...config, object: 'tool', name: 'whole' });
  expect(await readTool(database, ours, tool?.id ?? '')).toEqual(tool);
  expect(JSON.stringify(tool)).not.toContain('sealed');
});

test('a name is unique within a tenant, and a transaction continues after a conflict', async () => {
  await insert('taken');
  const [again, other] = await transaction(database.pool, async (sql) => [
    await insertTool(sql, {
      id: newId('tool'),
      tenantId: ours,
      name: 'taken',
      config,
      signingSecret: { envelope: 'x', version: 1 },
    }),
    await insertTool(sql, {
      id: newId('tool'),
      tenantId: theirs,
      name: 'taken',
      config,
      signingSecret: { envelope: 'x', version: 1 },
    }),
  ]);
  expect(again).toBeNull();
  expect(other).not.toBeNull();
});

test('a new configuration keeps the name and the key', async () => {
  const id = newId('tool');
  const tool = await insert('changing', ours, id);
  const changed = { ...config, url: 'https://tools.example/v2' };
  const updated = await updateTool(database.pool, { id, tenantId: ours, config: changed });
  expect(updated).toMatchObject({ id, name: 'changing', url: changed.url, created_at: tool?.created_at });
  const row = await database.prisma.tool.findUnique({ where: { id } });
  expect(row).toMatchObject({ signingEnvelope: `sealed for ${id}`, signingVersion: 1 });
});

test('another tenant cannot read, change or delete a tool', async () => {
  const id = newId('tool');
  await insert('private', ours, id);
  expect(await readTool(database, theirs, id)).toBeNull();
  expect(await updateTool(database.pool, { id, tenantId: theirs, config })).toBeNull();
  expect(await namedTools.remove(database.pool, theirs, id)).toBe(false);
  expect(await listTools(database, newId('tenant'), { cursor: null, limit: 10 })).toEqual([]);
  expect(await readTool(database, ours, id)).not.toBeNull();
});

test('a deleted tool is not found, and its name can be used again', async () => {
  const id = newId('tool');
  await insert('brief', ours, id);
  expect(await namedTools.remove(database.pool, ours, id)).toBe(true);
  expect(await namedTools.remove(database.pool, ours, id)).toBe(false);
  expect(await readTool(database, ours, id)).toBeNull();
  expect(await insert('brief')).not.toBeNull();
});

test('a list is paged by its cursor, newest first', async () => {
  const tenantId = await createTenant(database, 'Lists');
  for (const name of ['a', 'b', 'c']) await insert(name, tenantId);
  const first = await listTools(database, tenantId, { cursor: null, limit: 2 });
  expect(first.map((tool) => tool.name)).toEqual(['c', 'b']);
  const rest = await listTools(database, tenantId, { cursor: first[1]?.id ?? null, limit: 2 });
  expect(rest.map((tool) => tool.name)).toEqual(['a']);
});
