import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';

const absolute = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(absolute(path), 'utf8');

const serviceSchema = z.looseObject({
  image: z.string(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  volumes: z.array(z.string()).default([]),
});
const compose = z
  .object({ services: z.record(z.string(), serviceSchema) })
  .parse(parse(read('docker-compose.yml'), { merge: true }));

/** The names of variables in the schemas of these files. */
const variablesIn = (...files: string[]): string[] =>
  files.flatMap((file) =>
    [...read(file).matchAll(/^\s+([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT|HOST|CONCURRENCY): /gm)].map(
      ([, name = '']) => name,
    ),
  );

const SHARED = [
  'packages/backplane/src/redis-settings.ts',
  'packages/files/src/file-settings.ts',
  'packages/runtime/src/settings.ts',
  'packages/secrets/src/key-settings.ts',
  'packages/secrets/src/vault-settings.ts',
  'packages/telemetry/src/tracing-settings.ts',
  'packages/turns/src/retention-settings.ts',
];
const READ = {
  api: variablesIn('apps/api/src/config.ts', ...SHARED),
  worker: variablesIn('packages/worker/src/program/config.ts', ...SHARED),
};

/** What the compose file decides itself, and why nothing else may. */
const DECIDED: Record<string, string> = {
  HOST: 'a container listens to its network',
  PORT: 'the port of this machine: inside it is always 3000',
  NODE_ENV: 'of the image',
  DATABASE_URL: 'the service postgres',
  REDIS_URL: 'the service redis',
  BACKPLANE_URL: 'as REDIS_URL',
  REDIS_CLUSTER: 'as REDIS_URL',
  REDIS_NODES: 'as REDIS_URL',
  REDIS_SENTINELS: 'as REDIS_URL',
  REDIS_SENTINEL_NAME: 'as REDIS_URL',
  REDIS_SENTINEL_USERNAME: 'as REDIS_URL',
  REDIS_SENTINEL_PASSWORD: 'as REDIS_URL',
  REDIS_CA: 'as REDIS_URL',
  REDIS_CERT: 'as REDIS_URL',
  REDIS_KEY: 'as REDIS_URL',
  METRICS_PORT: 'what Prometheus and the probe ask, inside of the network',
  METRICS_HOST: 'as METRICS_PORT',
};

const named = [...read('.env.example').matchAll(/^([A-Z_0-9]+)=/gm)].map(([, name = '']) => name);

test.each(['api', 'worker'] as const)(
  'every variable that the %s reads is in .env.example, and compose hands it on',
  (name) => {
    expect(READ[name].length).toBeGreaterThan(20);
    const environment: Record<string, unknown> = compose.services[name]?.environment ?? {};
    for (const variable of READ[name].filter((each) => !(each in DECIDED))) {
      expect(named).toContain(variable);
      expect([variable, String(environment[variable])]).toEqual([
        variable,
        expect.stringMatching(`^\\$\\{${variable}:[-+]`),
      ]);
    }
  },
);

test('compose gives every variable of .env.example to a service, and needs no other', () => {
  const asked = new Set(
    [...read('docker-compose.yml').matchAll(/\$\{([A-Z_0-9]+)/g)].map(([, name]) => name),
  );
  expect(asked).toEqual(new Set(named));
});

test('no variable has a default in compose that the program has itself', () => {
  for (const { environment } of Object.values(compose.services)) {
    const defaults = Object.values(environment).filter((value) =>
      /^\$\{(?!POSTGRES_PASSWORD)\w+:-.+\}$/.test(String(value)),
    );
    expect(defaults).toEqual([]);
  }
});

test('the API and workers answer for metrics where Prometheus asks, and Grafana has its dashboard and its source', () => {
  const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yml')) as {
    scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
  };
  const asked = jobs.flatMap((job) => job.dns_sd_configs.map(({ names, port }) => `${names.join()}:${port}`));
  expect(asked).toEqual(
    ['api', 'worker'].map((name) => `${name}:${compose.services[name]?.environment['METRICS_PORT']}`),
  );
  // Not from outside of the network.
  for (const name of ['api', 'worker'])
    expect(JSON.stringify(compose.services[name]?.ports ?? [])).not.toContain('9464');
  for (const service of ['prometheus', 'grafana']) {
    const mounted = compose.services[service]?.volumes.flatMap(
      (volume) => /^\.\/([^:]+):/.exec(volume)?.[1] ?? [],
    );
    expect(mounted?.length).toBeGreaterThan(0);
    for (const path of mounted ?? []) expect(existsSync(absolute(path))).toBe(true);
  }
});

test('every image has a tag of its own', () => {
  const tags = Object.values(compose.services).map(({ image }) => image.split(':')[1] ?? 'none');
  for (const tag of tags) expect(tag).toMatch(/^(local|v?\d+\.\d+)/);
});
