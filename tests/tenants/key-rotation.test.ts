import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createApiKey, createTenant } from '@turnpike/store';
import { ROLE_ID, SECRET_ID, startTestVault } from '../../packages/secrets/src/testing/test-vault.ts';
import { Cluster } from '../support/cluster.ts';
import { ToolTraffic } from './support/tool-traffic.ts';
import { runTurnpike } from './support/run-turnpike.ts';
import { untilTrue } from '../support/until-true.ts';

const LIMIT_MS = 600_000;

const masterKey = (id: string): string => `${id}:${Buffer.alloc(32, `the key ${id}`).toString('base64')}`;
const FAST = { EGRESS_ALLOW: '127.0.0.1', JOB_AGE_MS: '300', DRAIN_MS: '8000' };

let cluster: Cluster;
let traffic: ToolTraffic;
const cleanUp: (() => Promise<void>)[] = [];
beforeEach(() => void cleanUp.splice(0));
afterEach(async () => {
  for (const clean of cleanUp) await clean();
});

async function start(environment: Record<string, string>): Promise<void> {
  cluster = await Cluster.start({ workers: 1, environment: { ...FAST, ...environment } });
  cleanUp.push(() => cluster.stop());
  traffic = await ToolTraffic.start(cluster);
  cleanUp.push(() => traffic.close());
}

/** Every process is replaced by one with this environment, which starts first; each must end well. */
async function restartAll(environment: Record<string, string>): Promise<void> {
  const old = [...cluster.workers.splice(0), cluster.api];
  await Promise.all([
    ...old.slice(1).map(() => cluster.startWorker(environment)),
    cluster.startApi(environment),
  ]);
  expect(await Promise.all(old.map(async (program) => program?.end('SIGTERM')))).toEqual(old.map(() => 0));
}

test(
  'the master key is rotated while turns run whose tool needs a secret: no turn fails, and the old key is not needed any more',
  async () => {
    await start({ TURNPIKE_MASTER_KEYS: masterKey('old') });
    const [oldWorker] = cluster.workers;
    traffic.begin();
    await traffic.untilMore(3);

    const both = { TURNPIKE_MASTER_KEYS: `${masterKey('new')},${masterKey('old')}` };
    // The new key comes first: a process with the old one alone meets secrets that it cannot open yet, and waits.
    const oldApi = cluster.api;
    await cluster.startApi(both);
    expect(await oldApi?.end('SIGTERM')).toBe(0);
    const other = await addTenant();
    const early = await traffic.submitFor(other);
    await untilTrue('the worker met a key that it does not know', () =>
      (oldWorker?.lines ?? []).some((line) => line.includes('secrets of a tool could not be decrypted')),
    );
    await restartAll(both);
    await traffic.untilDone(early);
    await traffic.untilMore(3);

    const settings = { DATABASE_URL: cluster.databaseUrl, ...both };
    expect(await runTurnpike(['secrets', 'rewrap', '--check'], settings)).toMatchObject({
      code: 1,
      output: '1 data keys are under older master keys.\n  1 under env:old\n',
    });
    expect(await runTurnpike(['secrets', 'rewrap'], settings)).toEqual({
      code: 0,
      output: 'Rewrapped 1 data keys under env:new.\n0 data keys are under older master keys.\n',
      reportedErrors: '',
    });
    await restartAll({ TURNPIKE_MASTER_KEYS: masterKey('new') });
    await traffic.untilMore(3);
    expect(await traffic.stop()).toEqual({ failed: [], wrongSecrets: 0 });
  },
  LIMIT_MS,
);

test(
  'Vault is down for some seconds, revokes its tokens and comes back, while workers are replaced: no turn fails',
  async () => {
    const vault = await startTestVault();
    cleanUp.push(() => vault.close());
    const settings = {
      TURNPIKE_KEY_PROVIDER: 'vault',
      TURNPIKE_MASTER_KEYS: '',
      VAULT_ADDR: vault.server.address,
      VAULT_ROLE_ID: ROLE_ID,
      VAULT_SECRET_ID: SECRET_ID,
    };
    await start(settings);
    traffic.begin();
    await traffic.untilMore(3);

    await vault.server.stop();
    vault.server.tokens.revokeAll();
    // New processes have no data key in memory: all of their turns need Vault now.
    await restartAll(settings);
    await traffic.untilWaiting();
    const [worker] = cluster.workers;
    await untilTrue('a worker misses Vault', () =>
      cluster.workers.some((each) => each.lines.some((line) => line.includes('key_provider_unreachable'))),
    );
    expect(worker?.process.exitCode).toBeNull();
    expect((await cluster.request('PUT', '/v1/secrets/crm2', { value: 'a value' })).status).toBe(503);
    await vault.server.start();
    await traffic.untilMore(3);

    // A token that was good is refused while keys are needed: a process with the AppRole logs in again.
    vault.server.tokens.revokeAll();
    const other = await addTenant();
    await traffic.untilDone(await traffic.submitFor(other));

    vault.server.transit.rotate('turnpike');
    const command = { DATABASE_URL: cluster.databaseUrl, ...settings };
    expect(await runTurnpike(['secrets', 'rewrap'], command)).toMatchObject({
      code: 0,
      output: expect.stringContaining('Rewrapped 2 data keys under vault:transit/turnpike:v2.'),
    });
    vault.server.transit.forbidBefore('turnpike', 2);
    await restartAll(settings);
    await traffic.untilMore(3);
    expect(await traffic.stop()).toEqual({ failed: [], wrongSecrets: 0 });
  },
  LIMIT_MS,
);

async function addTenant(): Promise<string> {
  const tenantId = await createTenant(cluster.database, 'Umbrella', { operatorKey: true });
  return (await createApiKey(cluster.database.pool, { tenantId, name: 'test', scopes: ['admin'] })).key;
}
