import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { z } from 'zod';
import { FLOOR_SCHEMA } from '../floor/schema.ts';
import { Child } from './child.ts';
import { ask, type Stage } from './stage.ts';
import type { Subject } from './subject.ts';

export interface FloorOptions {
  workers: number;
  /** The worker makes one model call for each turn too. */
  callsModel?: boolean;
}

/** The floor, as real processes, in a separate database. Its queue is in Redis's database 1. */
export async function startFloor(stage: Stage, options: FloorOptions): Promise<Subject> {
  const name = `floor_${randomUUID().slice(0, 8)}`;
  await ask(stage.postgresUrl, `CREATE DATABASE ${name}`);
  const databaseUrl = new URL(name, stage.postgresUrl).href;
  const environment = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: `${stage.redisUrl}/${options.callsModel === true ? 2 : 1}`,
    ...(options.callsModel === true ? { MODEL_URL: stage.modelUrl } : {}),
  };
  await ask(databaseUrl, FLOOR_SCHEMA);
  const api = await Child.start('bench/dist/floor-api.js', environment);
  const workers = await Promise.all(
    Array.from({ length: options.workers }, () => Child.start('bench/dist/floor-worker.js', environment)),
  );
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  const turnSchema = z.looseObject({ id: z.string(), status: z.string() });
  return {
    name: options.callsModel === true ? 'floor with the model call' : 'floor',
    url: `http://127.0.0.1:${api.port}`,
    databaseUrl,
    processes: {
      api: api.pid,
      ...Object.fromEntries(workers.map(({ pid }, index) => [`worker ${index + 1}`, pid])),
    },
    async submit(wire) {
      return turnSchema.parse(await wire.request('POST', '/turns', { input: 'Hello.' })).id;
    },
    async untilDone(wire, id) {
      const { status } = turnSchema.parse(await wire.request('GET', `/turns/${id}?wait=60`));
      if (status !== 'completed') throw new Error(`${id} is ${status}.`);
    },
    async countOpen() {
      const { rows } = await pool.query<{ open: number }>(
        `SELECT count(*)::int AS open FROM floor_turns WHERE status <> 'completed'`,
      );
      return rows[0]?.open ?? 0;
    },
    async stop() {
      await Promise.all([api, ...workers].map((child) => child.stop()));
      await pool.end();
    },
  };
}
