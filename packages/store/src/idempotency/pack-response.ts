import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import { isFinal, turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { readAgent } from '../agents/agents.ts';
import { readTurn } from '../turns/read-turns.ts';
import type { Sql } from '../database/sql.ts';

const compress = promisify(deflateRaw);
const decompress = promisify(inflateRaw);

/** A response of up to this many bytes is stored as it is. */
const MOST_PLAIN_BYTES = 2_048;

/** The columns of a record: `body` or `packed`. */
export interface PackedResponse {
  body: string | null;
  packed: Buffer | null;
  omitted: string[];
}

/** Parsed as a record, which keeps the order of the fields. */
const fieldsSchema = z.record(z.string(), z.unknown());
const agentSchema = z.looseObject({ object: z.literal('agent'), id: z.string(), version: z.int() });
const turnSchema = z.looseObject({ object: z.literal('turn'), id: z.string(), status: turnStatusSchema });

/*
 * Invariant: only what never changes is omitted: a version of an agent, and the output of a turn that has ended.
 * The rest is kept as it was sent, in its order, so that the restored body is the same byte for byte.
 */
function omittable(answer: unknown): string[] {
  if (agentSchema.safeParse(answer).success) return ['system', 'tools'];
  const turn = turnSchema.safeParse(answer);
  return turn.success && isFinal(turn.data.status) ? ['output', 'output_text'] : [];
}

/** Packs the body of a response: compressed, without what is stored elsewhere. */
export async function packResponse(body: string): Promise<PackedResponse> {
  if (Buffer.byteLength(body) <= MOST_PLAIN_BYTES) return { body, packed: null, omitted: [] };
  const answer = fieldsSchema.parse(JSON.parse(body));
  const omitted = omittable(answer).filter((field) => (answer[field] ?? null) !== null);
  const kept = omitted.length === 0 ? body : JSON.stringify(withFields(answer, omitted));
  return { body: null, packed: await compress(kept, { level: constants.Z_BEST_SPEED }), omitted };
}

/** The body as it was sent, byte for byte; null where what it showed was deleted. */
export async function unpackResponse(
  sql: Sql,
  tenantId: string,
  { body, packed, omitted }: PackedResponse,
): Promise<string | null> {
  if (packed === null) return body;
  const kept = (await decompress(packed)).toString();
  if (omitted.length === 0) return kept;
  const answer = fieldsSchema.parse(JSON.parse(kept));
  const stored = await readShown(sql, tenantId, answer);
  return stored === null ? null : JSON.stringify(withFields(answer, omitted, stored));
}

async function readShown(
  sql: Sql,
  tenantId: string,
  answer: unknown,
): Promise<Record<string, unknown> | null> {
  const agent = agentSchema.safeParse(answer);
  if (agent.success) return asRecord(await readAgent(sql, tenantId, agent.data.id, agent.data.version));
  return asRecord(await readTurn(sql, tenantId, turnSchema.parse(answer).id));
}

const asRecord = (shown: object | null): Record<string, unknown> | null =>
  shown === null ? null : { ...shown };

/** With these fields replaced by those of `values`, or null, in the same order. */
function withFields(
  answer: Record<string, unknown>,
  fields: readonly string[],
  values: Record<string, unknown> = {},
): Record<string, unknown> {
  return { ...answer, ...Object.fromEntries(fields.map((field) => [field, values[field] ?? null])) };
}
