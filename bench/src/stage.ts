import { Redis } from 'ioredis';
import pg from 'pg';
import { SimControl, type ScriptInput } from '@turnpike/model-sim';
import { startPostgres } from '../../tests/support/postgres-server.ts';
import { startRedis } from '../../tests/support/redis-server.ts';
import { Child } from './child.ts';

/** The servers that all subjects share: a durable Postgres, Redis, the model simulator. */
export interface Stage {
  postgresUrl: string;
  redisUrl: string;
  redisPid: number;
  modelUrl: string;
  model: Child;
  setModel(script: ScriptInput): Promise<void>;
  stop(): Promise<void>;
}

export async function startStage(): Promise<Stage> {
  const postgres = await startPostgres({
    durable: true,
    settings: ['shared_preload_libraries=pg_stat_statements'],
  });
  const redis = await startRedis();
  if (redis === null) throw new Error('The bench needs a redis-server on PATH.');
  await ask(postgres.url, 'CREATE EXTENSION pg_stat_statements');
  const model = await Child.start('apps/model-sim/dist/main.js', { PORT: '0' });
  const modelUrl = `http://127.0.0.1:${model.port}`;
  return {
    postgresUrl: postgres.url,
    redisUrl: redis.url,
    redisPid: await redisPidOf(redis.url),
    modelUrl,
    model,
    setModel: (script) => new SimControl(modelUrl).setScript(script),
    async stop() {
      await model.stop();
      await Promise.all([postgres.stop(), redis.stop()]);
    },
  };
}

/** Runs one statement on a new connection. */
export async function ask(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement);
    return rows;
  } finally {
    await client.end();
  }
}

async function redisPidOf(url: string): Promise<number> {
  const redis = new Redis(url);
  const info = await redis.info('server');
  redis.disconnect();
  return Number(/process_id:(\d+)/.exec(info)?.[1]);
}
