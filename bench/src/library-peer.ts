import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { FLOOR_SCHEMA } from '../floor/schema.ts';
import { Child } from './child.ts';
import { ask, type Stage } from './stage.ts';
import type { Subject } from './subject.ts';

const turnSchema = z.looseObject({ id: z.string(), status: z.string() });

/** A peer that is a library, in one process of its own (`bench/peers`), with its state in a separate database. */
export async function startLibraryPeer(stage: Stage, name: 'dbos' | 'pg-boss'): Promise<Subject> {
  const program = `bench/peers/${name}-service.mjs`;
  const library = name === 'dbos' ? '@dbos-inc/dbos-sdk' : name;
  if (!existsSync(fileURLToPath(new URL(`../peers/node_modules/${library}`, import.meta.url)))) {
    throw new Error(`${name} is not installed: run \`npm install --prefix bench/peers\` first.`);
  }
  const database = `peer_${randomUUID().slice(0, 8)}`;
  await ask(stage.postgresUrl, `CREATE DATABASE ${database}`);
  const databaseUrl = new URL(database, stage.postgresUrl).href;
  await ask(databaseUrl, FLOOR_SCHEMA);
  const service = await Child.start(program, { DATABASE_URL: databaseUrl, MODEL_URL: stage.modelUrl });
  return {
    name,
    url: `http://127.0.0.1:${service.port}`,
    databaseUrl,
    processes: { service: service.pid },
    async submit(wire) {
      return turnSchema.parse(await wire.request('POST', '/turns', { input: 'Hello.' })).id;
    },
    async untilDone(wire, id) {
      turnSchema.parse(await wire.request('GET', `/turns/${id}?wait=60`));
    },
    countOpen: () => Promise.reject(new Error('Peers are measured by turns that clients wait for.')),
    stop: () => service.stop(),
  };
}
