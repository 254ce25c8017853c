import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { readDocument, type ApiDocument, type Operation, type Schema } from './testing/read-operations.ts';
import { idPrefixOf } from './testing/sample-schema.ts';
import { ask, isWord, foreignId, TenantThings } from './testing/tenant-things.ts';
import { needEverything, addressParameters, tenantWithThings } from './testing/tenant-with-things.ts';

let api: TestApi;
let document: ApiDocument;
let mine: TenantThings;
let theirs: TenantThings;
/** A response to another tenant must contain none of these. */
let theirNames: string[];

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  const whole = await readDocument(api.url);
  // An operator sees all tenants, and a tenant's key none of what an operator sees: `scopes.test.ts`.
  document = { ...whole, operations: whole.operations.filter(({ scope }) => scope !== 'operator') };
  mine = await tenantWithThings(api, document);
  theirs = await tenantWithThings(api, document);
  await needEverything(theirs, document);
  theirNames = [theirs.client.tenantId, ...theirs.known.values()];
  await api.dispatcher.settle();
  // From here on nothing is written in the background.
  await api.keyUses.close();
});

afterAll(() => api.stop());

const places = () => addressParameters(document);

const plain = (response: { body: Record<string, unknown> }): object => ({
  ...response.body,
  detail: '',
  request_id: '',
});

async function send(operation: Operation, instead: Record<string, string>, body?: object) {
  const address = await mine.addressOf(operation, instead);
  const given = operation.body === null ? null : (body ?? (await mine.sample(operation.body)));
  return ask(mine.client, operation.method, address, given);
}

test("another tenant's ids in a path are not found, and nothing changes", async () => {
  const inPaths = places().filter(({ parameter }) => parameter.in === 'path');
  expect(inPaths.length).toBeGreaterThan(15);
  for (const { operation, parameter } of inPaths) {
    const { name } = parameter;
    const schema = document.resolve(parameter.schema);
    const isId = idPrefixOf(schema) !== null;
    if (!isId && isWord(schema)) continue;
    const id = await theirs.valueFor(operation, parameter);
    // What the request needs of this tenant is created before the comparison.
    await mine.addressOf(operation);
    if (operation.body !== null) await mine.sample(operation.body);
    const before = await api.readAllRows();
    const response = await send(operation, { [name]: id });
    const title = `${operation.method} ${operation.path} {${name}}`;
    if (operation.method === 'put' && !isId) {
      // Names are per tenant: it creates one of this tenant, and leaves the other's unchanged.
      expect([title, response.status]).toEqual([title, 200]);
      expect(ofTheirs(await api.readAllRows())).toEqual(ofTheirs(before));
      await ask(mine.client, 'delete', await mine.addressOf(operation, { [name]: id }), null).expect(204);
      continue;
    }
    expect([title, response.status, response.body.code]).toEqual([title, 404, 'not_found']);
    // As for an id that does not exist: the response does not reveal that it belongs to a tenant.
    const nowhere = await send(operation, { [name]: isId ? foreignId(id) : `${id}-nowhere` });
    expect([title, plain(nowhere)]).toEqual([title, plain(response)]);
    expect([title, await api.readAllRows()]).toEqual([title, before]);
  }
}, 240_000);

test("another tenant's ids in a body are not found, and nothing changes", async () => {
  let looked = 0;
  for (const operation of document.operations) {
    if (operation.body === null) continue;
    for (const field of idsIn(operation.body)) {
      looked += 1;
      const id = await theirs.need(field.prefix);
      const own = await mine.sample(operation.body);
      const before = await api.readAllRows();
      const response = await send(operation, {}, bodyWithId(own, field.path, id));
      const title = `${operation.id} ${field.path.join('.')}`;
      const nowhere = await send(operation, {}, bodyWithId(own, field.path, foreignId(id)));
      expect([title, response.status, plain(response)]).toEqual([title, nowhere.status, plain(nowhere)]);
      // For a list, the path of each issue is reported, or one problem for all of them.
      const expected = field.path.length === 1 ? [404] : [400, 404, 409];
      expect([title, expected.includes(response.status), response.text]).toEqual([
        title,
        true,
        response.text,
      ]);
      expect([title, await api.readAllRows()]).toEqual([title, before]);
    }
  }
  expect(looked).toBeGreaterThanOrEqual(3);
}, 240_000);

test("another tenant's ids in a query find nothing", async () => {
  const inQueries = places().filter(
    ({ parameter }) => parameter.in === 'query' && idPrefixOf(document.resolve(parameter.schema)) !== null,
  );
  expect(inQueries.length).toBeGreaterThan(5);
  for (const { operation, parameter } of inQueries) {
    const id = await theirs.need(idPrefixOf(document.resolve(parameter.schema)) ?? '');
    const address = await mine.addressOf(operation);
    const { text, status } = await ask(mine.client, operation.method, address, null).query({
      [parameter.name]: id,
    });
    const title = `${operation.id} ?${parameter.name}=`;
    expect([title, status < 500, namesIn(text.replaceAll(id, ''))]).toEqual([title, true, []]);
    if (parameter.name === 'cursor') continue;
    expect([title, status === 404 || /"(items|data)":\[\]/.test(text)]).toEqual([title, true]);
  }
});

test('what is read without an id contains nothing of another tenant', async () => {
  const general = document.operations.filter(({ method, path }) => method === 'get' && !path.includes('{'));
  expect(general.length).toBeGreaterThan(5);
  const newcomer = new TenantThings(await api.addTenant(), document);
  for (const operation of general) {
    const { text, status } = await ask(newcomer.client, 'get', await newcomer.addressOf(operation), null);
    expect([operation.id, status, namesIn(text)]).toEqual([operation.id, 200, []]);
  }
});

test('the owner finds everything unchanged', async () => {
  for (const operation of document.operations) {
    // What is not JSON is a stream, and may not end.
    if (operation.method !== 'get' || operation.response === null) continue;
    const response = await ask(theirs.client, 'get', await theirs.addressOf(operation), null);
    expect([operation.path, response.status]).toEqual([operation.path, 200]);
  }
});

const namesIn = (text: string): string[] => theirNames.filter((name) => text.includes(name));

function ofTheirs(rows: Record<string, string[]>): string[] {
  return Object.values(rows).flatMap((table) => table.filter((row) => row.includes(theirs.client.tenantId)));
}

interface IdPlace {
  path: string[];
  prefix: string;
}

/** Every path in a body that accepts an id, optional ones too. */
function idsIn(schema: Schema, path: string[] = []): IdPlace[] {
  if (path.length > 6) return [];
  const own = document.resolve(schema);
  const prefix = idPrefixOf(own);
  if (prefix !== null) return [{ path, prefix }];
  const { properties, items, anyOf, oneOf } = own;
  const parts = Object.entries((properties ?? {}) as Record<string, Schema>);
  const variants = [...((anyOf ?? []) as Schema[]), ...((oneOf ?? []) as Schema[])];
  const found = [
    ...parts.flatMap(([name, part]) => idsIn(part, [...path, name])),
    ...(items === undefined ? [] : idsIn(items as Schema, [...path, '0'])),
    ...variants.flatMap((variant) => idsIn(variant, path)),
  ];
  const seen = new Set<string>();
  return found.filter((field) => {
    const name = field.path.join('.');
    const isNew = !seen.has(name);
    seen.add(name);
    return isNew;
  });
}

const bodyWithId = (body: object, path: readonly string[], id: string): object =>
  Object.assign({}, withId(body, path, id));

/** The same value with this id at that path, whose missing parents are created. */
function withId(value: unknown, [step, ...rest]: readonly string[], id: string): unknown {
  if (step === undefined) return id;
  if (step === '0') return [withId(Array.isArray(value) ? value[0] : undefined, rest, id)];
  const object = typeof value === 'object' && value !== null ? value : {};
  return { ...object, [step]: withId((object as Record<string, unknown>)[step], rest, id) };
}
