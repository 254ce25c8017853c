import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { openBackplane } from '@turnpike/backplane';
import { Turnpike } from '@turnpike/client';
import { CASE_LIMIT_MS } from '../chaos/support/chaos-length.ts';
import { ChaosCluster } from '../chaos/support/chaos-cluster.ts';
import { checkTruth } from '../chaos/support/check-truth.ts';
import { FaultInjector } from '../chaos/support/fault-injector.ts';
import { runUnder } from '../chaos/support/run-under.ts';
import { startChance } from '../chaos/support/seeded-random.ts';
import { scriptOfPlans } from '../chaos/support/workload.ts';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { startRedisCluster, startSentinels, type RedisGroup } from '../support/redis-groups.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';

const LEAST_TURNS = byLength({ short: 24, long: 200 });

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const describeWithRedis = has('redis-server') ? describe : describe.skip;

describeWithRedis('a primary that dies under load', () => {
  let chaos: ChaosCluster | undefined;
  let group: RedisGroup | undefined;
  afterEach(async () => {
    await chaos?.stop();
    await group?.stop();
    chaos = undefined;
  });

  test.each([
    ['of a Redis Cluster', startRedisCluster],
    ['that Sentinels watch', startSentinels],
  ])(
    '%s is replaced without a restart: no turn is lost, nothing happens twice, and turns are streamed again',
    async (_, startGroup) => {
      const redis = (group = await startGroup());
      chaos = await ChaosCluster.start({ workers: 2, environment: redis.environment });
      const { cluster } = chaos;
      await cluster.control.setScript(scriptOfPlans());
      let killed = false;
      const killOnce = async (): Promise<boolean> => {
        if (killed) return false;
        killed = true;
        await redis.killPrimary();
        return true;
      };
      const faults = new FaultInjector(chaos, startChance(), { everyMs: 1_000, fault: killOnce });
      const turns = await runUnder(chaos, faults, { turns: LEAST_TURNS, faults: 1 });
      await checkTruth(chaos, turns);
      // Previews go through Redis alone: a preview that arrives came by the new primary.
      await cluster.control.setScript({
        rules: [{ reply: { text: 'one two three four five six' }, pace: { tokens_per_second: 4 } }],
      });
      const turnpike = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
      await untilTrue('text is streamed while it is written', async () => {
        const turn = await cluster.submit({ agentId: chaos?.agentId ?? '' }, 'Hi');
        for await (const event of turnpike.turns.stream(turn.id))
          if (event.type === 'message.delta') return true;
        return false;
      });
    },
    CASE_LIMIT_MS,
  );
});

const describeWithCertificate = has('redis-server') && has('openssl') ? describe : describe.skip;

describeWithCertificate('a Redis with TLS and a certificate of its own authority', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-test-redis-tls-'));
  const [certificate, key] = ['redis.crt', 'redis.key'].map((name) => join(folder, name));
  let redis: RedisServer | null = null;
  let cluster: Cluster | undefined;
  afterEach(async () => {
    await cluster?.stop();
    await redis?.stop();
    rmSync(folder, { recursive: true });
  });

  test(
    'is used where REDIS_CA names that authority, and nothing is sent to it elsewhere',
    async () => {
      makeCertificate(String(certificate), String(key));
      const port = await freePort();
      redis = await startRedis({
        options:
          `--tls-port ${port} --tls-auth-clients no --tls-cert-file ${certificate} --tls-key-file ${key}`.split(
            ' ',
          ),
      });
      const backplaneUrl = `rediss://localhost:${port}`;
      const refused = await new Promise<Error>((resolve, reject) => {
        openBackplane({ url: backplaneUrl, onError: resolve }).then(
          async (backplane) => backplane.close(),
          reject,
        );
      });
      expect(refused.message).toMatch(/self-signed certificate/);

      cluster = await Cluster.start({
        workers: 1,
        backplaneUrl,
        environment: { REDIS_CA: String(certificate) },
      });
      const agent = await cluster.createAgent();
      const { id } = await cluster.submit({ agentId: agent.id }, 'Hi');
      expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed' });
    },
    CASE_LIMIT_MS,
  );
});

function makeCertificate(certificate: string, key: string): void {
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  words.push('-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate);
  const { status, stderr } = spawnSync('openssl', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
