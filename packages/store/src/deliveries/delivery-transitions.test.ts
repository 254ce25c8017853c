import { expect, test } from '@jest/globals';
import { edgesThatPass } from '../../../../tests/support/status-edges.ts';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { openDatabase } from '../database/database.ts';
import { DELIVERY_STATUSES, DELIVERY_TRANSITIONS } from './delivery-transitions.ts';

test('the database refuses every change of a delivery’s status that is not in the table, and no other', async () => {
  const { url, drop } = await createTestDatabase();
  const database = openDatabase({ url, poolSize: 1, applicationName: 'test', onError: () => undefined });
  try {
    const delivered = `CASE WHEN $1 = 'delivered' THEN now() END`;
    const passing = await edgesThatPass(database.pool, 'deliveries', DELIVERY_STATUSES, {
      store: `INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, payload, status, delivered_at)
              VALUES ('d', 't', 'https://receiver.invalid', 'l', 'e', 'turn.completed', '{}', $1, ${delivered})`,
      move: `UPDATE deliveries SET status = $1, delivered_at = ${delivered} WHERE id = 'd'`,
    });
    const listed = Object.values(DELIVERY_TRANSITIONS).flatMap((moves) =>
      Object.entries(moves).flatMap(([from, ends]) => ends.map((end) => `${from} ${end}`)),
    );
    expect(passing).toEqual([...new Set(listed)].toSorted());
  } finally {
    await database.close();
    await drop();
  }
});
