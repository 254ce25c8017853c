import { afterAll, beforeAll, test, expect } from '@jest/globals';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { openDatabase, type Database } from './index.ts';
let database: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  database = openDatabase({ url: made.url, poolSize: 5, applicationName: 't', onError() {} });
});
afterAll(async () => {
  await database.close();
  await drop();
});
test('x', async () => {
  await database.ping();
  expect(1).toBe(1);
});
