import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { FLOOR_SCHEMA } from '../floor/schema.ts';
import { Child } from './child.ts';
import { ask, type Stage } from './stage.ts';
import type { Subject } from './subject.ts';
import { Wire } from './wire.ts';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const BINARY = path.join(PEERS, 'node_modules/@restatedev/restate-server-linux-x64/bin/restate-server');
const START_LIMIT_MS = 30_000;

const sentSchema = z.looseObject({ invocationId: z.string() });

/**
 * Restate with its own server, from npm: a handler with a model step and a step that saves the response to Postgres.
 * Its settings are its defaults, so that its journal is durable. Throws where `bench/peers` is not installed.
 */
export async function startRestate(stage: Stage): Promise<Subject> {
  if (!existsSync(BINARY)) {
    throw new Error('Restate is not installed: run `npm install --prefix bench/peers` first.');
  }
  const name = `restate_${randomUUID().slice(0, 8)}`;
  await ask(stage.postgresUrl, `CREATE DATABASE ${name}`);
  const databaseUrl = new URL(name, stage.postgresUrl).href;
  await ask(databaseUrl, FLOOR_SCHEMA);
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-restate-'));
  const [ingress, admin, node] = await Promise.all([freePort(), freePort(), freePort()]);
  const server = spawn(BINARY, ['--base-dir', folder], {
    env: {
      DO_NOT_TRACK: '1',
      RUST_LOG: 'error',
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    },
    stdio: 'ignore',
  });
  await untilHealthy(`http://127.0.0.1:${admin}/health`, server);
  const service = await Child.start('bench/peers/restate-service.mjs', {
    DATABASE_URL: databaseUrl,
    MODEL_URL: stage.modelUrl,
  });
  await register(`http://127.0.0.1:${admin}`, `http://127.0.0.1:${service.port}`);
  return {
    name: 'restate',
    url: `http://127.0.0.1:${ingress}`,
    databaseUrl,
    processes: { 'restate-server': server.pid ?? 0, service: service.pid },
    async submit(wire) {
      const turn = { id: randomUUID(), input: 'Hello.' };
      return sentSchema.parse(await wire.request('POST', '/turns/run/send', turn)).invocationId;
    },
    async untilDone(wire, id) {
      await wire.request('GET', `/restate/invocation/${id}/attach`);
    },
    countOpen: () => Promise.reject(new Error('Restate is measured by turns that clients wait for.')),
    async stop() {
      await service.stop();
      server.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function untilHealthy(url: string, server: ChildProcess): Promise<void> {
  const end = performance.now() + START_LIMIT_MS;
  while (performance.now() < end) {
    if (server.exitCode !== null) throw new Error(`Restate ended (${server.exitCode}).`);
    const isHealthy = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isHealthy) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('Restate was not ready in time.');
}

async function register(admin: string, uri: string): Promise<void> {
  const wire = new Wire(admin);
  await wire.request('POST', '/deployments', { uri });
  await wire.close();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return address.port;
}
