import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** The rows of a tenant that its agents name. */
export interface NamedRows<Item> {
  /** The tenant's rows among these names. They cannot be deleted until the transaction ends. */
  shareNamed(sql: Sql, tenantId: string, names: readonly string[]): Promise<Set<string>>;
  /**
   * A row, locked until the transaction ends: nobody else changes or deletes it, or adds an agent that names it. Null
   * if there is none.
   */
  lock(sql: Sql, tenantId: string, id: string): Promise<Item | null>;
  /** False if there is no such row. */
  remove(sql: Sql, tenantId: string, id: string): Promise<boolean>;
}

/*
 * Invariant: a row that an agent's newest version names is not deleted, unless forced. Whoever writes a version
 * share-locks the rows that it names until the commit; whoever deletes a row locks it exclusively, and looks for agents
 * in a statement after that.
 */
export function rowsThatAgentsName<Row extends z.ZodType>(
  table: 'tools' | 'mcp_servers',
  columns: string,
  row: Row,
): NamedRows<z.infer<Row>> {
  const share = {
    name: `share-named-${table}`,
    text: `SELECT name FROM ${table} WHERE tenant_id = $1 AND name = ANY ($2::text[]) FOR KEY SHARE`,
    row: z.object({ name: z.string() }),
  };
  const lock = {
    name: `lock-one-of-${table}`,
    text: `SELECT ${columns} FROM ${table} WHERE id = $1 AND tenant_id = $2 FOR UPDATE`,
    row,
  };
  const remove = {
    name: `delete-one-of-${table}`,
    text: `DELETE FROM ${table} WHERE id = $1 AND tenant_id = $2 RETURNING id`,
    row: z.object({ id: z.string() }),
  };
  return {
    async shareNamed(sql, tenantId, names) {
      const found = await query(sql, share, [tenantId, names]);
      return new Set(found.map(({ name }) => name));
    },
    async lock(sql, tenantId, id) {
      const [locked] = await query(sql, lock, [id, tenantId]);
      return locked ?? null;
    },
    async remove(sql, tenantId, id) {
      const deleted = await query(sql, remove, [id, tenantId]);
      return deleted.length > 0;
    },
  };
}
