import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';

const namesSchema = z.array(z.object({ name: z.string() }));

/**
 * Whether a pooler keeps track of prepared statements, so that one of a name can be executed in whatever session a
 * transaction gets. Such a pooler gives them names of its own (PgBouncer from 1.21, `max_prepared_statements`). One
 * that passes names on would execute them in sessions that do not know them, or know others by the same name.
 */
export async function keepsStatements(client: pg.ClientBase): Promise<boolean> {
  const name = `turnpike_${randomBytes(8).toString('hex')}`;
  const text = `SELECT name FROM pg_prepared_statements WHERE statement LIKE '%${name}%'`;
  // In one transaction, which is in one session. They leave in one round trip.
  try {
    const [, { rows }] = await Promise.all([client.query('BEGIN'), client.query({ name, text })]);
    const [found] = namesSchema.parse(rows);
    const isRenamed = found !== undefined && found.name !== name;
    if (found?.name === name) await client.query(`DEALLOCATE ${name}`);
    return isRenamed;
  } finally {
    await client.query('COMMIT');
  }
}

/** Every statement is looked at, so by no schema. */
function isNamed(part: unknown): part is { name: string; text: string } {
  if (typeof part !== 'object' || part === null || !('name' in part) || !('text' in part)) return false;
  return typeof part.name === 'string' && typeof part.text === 'string';
}

/** From here on, the client sends its statements without their names: each is parsed and planned by itself. */
export function sendUnnamed(client: pg.ClientBase): void {
  const { query } = client;
  const withoutName = (part: unknown): unknown => (isNamed(part) ? { ...part, name: undefined } : part);
  Object.assign(client, {
    query: (...parts: unknown[]): unknown => Reflect.apply(query, client, parts.map(withoutName)),
  });
}
