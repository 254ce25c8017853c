import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { METRICS } from '@turnpike/telemetry';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { findProgram } from '../cli/command-line.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';

/* The chart, rendered by Helm, and the manifests that are made of it. No cluster is needed. */

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CHART = `${ROOT}deploy/helm/turnpike`;

/** Where there is none: `.ci/run` says where it comes from. */
const withHelm = findProgram('helm') === undefined ? test.skip : test;
/** It checks units without running them. */
const withSystemd = findProgram('systemd-analyze') === undefined ? test.skip : test;

/** By kind: what checks it, and the module that has its type. */
const KINDS = {
  Deployment: [Deployment, 'kubernetes-models/apps/v1'],
  Service: [Service, 'kubernetes-models/v1'],
  ServiceAccount: [ServiceAccount, 'kubernetes-models/v1'],
  Job: [Job, 'kubernetes-models/batch/v1'],
  Ingress: [Ingress, 'kubernetes-models/networking.k8s.io/v1'],
  NetworkPolicy: [NetworkPolicy, 'kubernetes-models/networking.k8s.io/v1'],
  PodDisruptionBudget: [PodDisruptionBudget, 'kubernetes-models/policy/v1'],
  HorizontalPodAutoscaler: [HorizontalPodAutoscaler, 'kubernetes-models/autoscaling/v2'],
  ScaledObject: [ScaledObject, '@kubernetes-models/keda/keda.sh/v1alpha1'],
  ServiceMonitor: [ServiceMonitor, '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'],
} as const;

const objectSchema = z.looseObject({
  kind: z.enum(Object.keys(KINDS) as [keyof typeof KINDS]),
  metadata: z.looseObject({ name: z.string() }),
});
type KubernetesObject = z.infer<typeof objectSchema>;

/** `values`: as `--set` takes them. Rejects with what Helm says. */
async function render(values: readonly string[] = [], ...options: string[]): Promise<string> {
  const given = values.flatMap((value) => ['--set', value]);
  return (await run('helm', ['template', 'turnpike', CHART, ...given, ...options])).stdout;
}

function objectsIn(yaml: string): KubernetesObject[] {
  return parseAllDocuments(yaml).flatMap((document) => {
    const object: unknown = document.toJSON();
    return object === null ? [] : [objectSchema.parse(object)];
  });
}

function find<Found>(objects: readonly KubernetesObject[], name: string, schema: z.ZodType<Found>): Found {
  const [kind, ...rest] = name.split(' ');
  return schema.parse(
    objects.find((each) => each.kind === kind && each.metadata.name === `turnpike${rest.join('')}`),
  );
}

const EVERYTHING = [
  'api.ingress.enabled=true',
  'api.ingress.className=nginx',
  'api.ingress.hosts[0]=api.example.com',
  'api.autoscaling.enabled=true',
  'monitoring.serviceMonitor.enabled=true',
  'pools[0].name=default',
  'pools[0].autoscaling.type=keda',
  'pools[1].name=gpu_large',
  'pools[1].image.repository=registry.example/tools',
  'pools[1].image.tag=v7',
  'pools[1].autoscaling.type=hpa',
  'pools[1].nodeSelector.gpu=large',
  'pools[2].name=batch',
  'pools[2].replicas=1',
  'pools[2].autoscaling.type=keda',
  'pools[2].autoscaling.source=prometheus',
  'pools[2].autoscaling.prometheusAddress=http://prometheus:9090',
  'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring',
  'serviceAccount.annotations.role=turnpike',
];

let folder: string;
let database: TestDatabase;
beforeAll(async () => {
  // Within the repository, so that the types are found.
  folder = await mkdtemp(join(ROOT, 'node_modules/.kubernetes-'));
  database = await openTestDatabase(2);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await database.close();
});

withHelm(
  'the chart has no warning, and what it makes by default and in full is valid for Kubernetes',
  async () => {
    await run('helm', ['lint', '--strict', CHART]);
    const objects = [...objectsIn(await render()), ...objectsIn(await render(EVERYTHING))];
    expect(new Set(objects.map(({ kind }) => kind))).toEqual(new Set(Object.keys(KINDS)));
    for (const object of objects) new KINDS[object.kind][0](object as never).validate();
    // A field that Kubernetes does not know is no error for a schema, but it is for the compiler.
    const declared = objects.map(
      (object, index) =>
        `const _${index}: import('${KINDS[object.kind][1]}').I${object.kind} = ${JSON.stringify(object)};`,
    );
    await writeFile(join(folder, 'objects.ts'), `export {};\n${declared.join('\n')}\n`);
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--ignoreConfig'];
    const compiled = run(join(ROOT, 'node_modules/.bin/tsc'), [...options, join(folder, 'objects.ts')]);
    await expect(compiled).resolves.toMatchObject({ stdout: '' });
  },
);

withHelm('the plain manifests are the chart with its defaults', async () => {
  const manifest = (name: string): Promise<string> =>
    readFile(`${ROOT}deploy/kubernetes/${name}.yaml`, 'utf8');
  expect(await manifest('turnpike')).toBe(await render([], '--no-hooks'));
  expect(await manifest('migrate')).toBe(await render([], '--show-only', 'templates/migrate.yaml'));
});

const containerSchema = z.looseObject({
  image: z.string(),
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  envFrom: z.array(z.object({ secretRef: z.object({ name: z.string() }) })),
  securityContext: z.looseObject({ readOnlyRootFilesystem: z.literal(true) }),
});
const workloadSchema = z.looseObject({
  spec: z.looseObject({
    replicas: z.int().optional(),
    template: z.looseObject({
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.int().optional(),
        containers: z.tuple([containerSchema]),
      }),
    }),
  }),
});
const variablesOf = (workload: z.infer<typeof workloadSchema>): Record<string, string> =>
  Object.fromEntries(workload.spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]));

withHelm(
  'a pod is given more time to end than its program takes, and a load balancer time to notice',
  async () => {
    const objects = objectsIn(
      await render(['worker.drainSeconds=120', 'api.preStopSeconds=20', 'api.shutdownSeconds=30']),
    );
    const worker = find(objects, 'Deployment -worker-default', workloadSchema);
    const api = find(objects, 'Deployment -api', workloadSchema);
    expect(variablesOf(worker)).toMatchObject({ DRAIN_MS: '120000', WORKER_POOL: 'default' });
    expect(worker.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(120);
    expect(variablesOf(api)).toMatchObject({ SHUTDOWN_MS: '30000', SHUTDOWN_DELAY_MS: '0' });
    expect(api.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(50);
    expect(api.spec.template.spec.containers[0]).toMatchObject({
      lifecycle: { preStop: { sleep: { seconds: 20 } } },
    });
  },
);

withHelm('secrets are named, and each program may have its own; numbers are written as numbers', async () => {
  const objects = objectsIn(
    await render([
      'worker.secretName=of-workers',
      'migrate.secretName=of-migrations',
      'config.LOG_LEVEL=debug',
      'api.config.MAX_BODY_BYTES=33554432',
      'api.config.OTEL_TRACES_SAMPLER_ARG=0.25',
      'api.config.PORT=1',
    ]),
  );
  const secretOf = (name: string): string | undefined =>
    find(objects, name, workloadSchema).spec.template.spec.containers[0].envFrom[0]?.secretRef.name;
  expect(secretOf('Deployment -api')).toBe('turnpike');
  expect(secretOf('Deployment -worker-default')).toBe('of-workers');
  expect(secretOf('Job -migrate')).toBe('of-migrations');
  expect(variablesOf(find(objects, 'Deployment -api', workloadSchema))).toMatchObject({
    LOG_LEVEL: 'debug',
    MAX_BODY_BYTES: '33554432',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    // What the probes and the service rely on stays.
    PORT: '3000',
  });
});

withHelm('each pool has its own workers, image and scaling', async () => {
  const objects = objectsIn(await render(EVERYTHING));
  const gpu = find(objects, 'Deployment -worker-gpu-large', workloadSchema);
  expect(variablesOf(gpu)).toMatchObject({ WORKER_POOL: 'gpu_large', CONCURRENCY: '100' });
  expect(gpu.spec.template.spec.containers[0].image).toBe('registry.example/tools:v7');
  // What scales it decides how many there are.
  expect(gpu.spec.replicas).toBeUndefined();
  const metric = find(
    objects,
    'HorizontalPodAutoscaler -worker-gpu-large',
    z.looseObject({
      spec: z.looseObject({
        metrics: z.tuple([
          z.looseObject({ external: z.looseObject({ metric: z.looseObject({ name: z.string() }) }) }),
        ]),
      }),
    }),
  ).spec.metrics[0].external.metric;
  expect(metric).toEqual({
    name: 'turnpike_pool_oldest_waiting_seconds',
    selector: { matchLabels: { pool: 'gpu_large' } },
  });
  expect(METRICS).toHaveProperty([metric.name, 'labels'], ['pool']);
});

const triggerSchema = z.looseObject({
  spec: z.looseObject({
    triggers: z.tuple([
      z.looseObject({
        type: z.string(),
        metricType: z.literal('Value'),
        metadata: z.looseObject({ query: z.string() }),
      }),
    ]),
  }),
});

withHelm(
  'what KEDA asks of Postgres is how long the oldest turn has waited for a worker of the pool',
  async () => {
    const objects = objectsIn(await render(EVERYTHING));
    const { type, metadata } = find(objects, 'ScaledObject -worker-default', triggerSchema).spec.triggers[0];
    expect([type, metadata['connectionFromEnv']]).toEqual(['postgresql', 'DATABASE_URL']);
    const { rows } = await database.pool.query(metadata.query);
    expect(Object.values(z.array(z.record(z.string(), z.number())).parse(rows)[0] ?? {})).toEqual([0]);
    const ofBatch = find(objects, 'ScaledObject -worker-batch', triggerSchema).spec.triggers[0];
    const names = [...ofBatch.metadata.query.matchAll(/turnpike_\w+/g)].map(([name]) => name);
    expect(names.filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
  },
);

withHelm.each([
  ['a value that there is not', 'worker.concurency=3', 'concurency'],
  ['a pool whose name is no label', 'pools[0].name=Default', 'name'],
  ['a pool without a name', 'pools[0].replicas=3', 'name'],
  [
    'a scaling by Prometheus without its address',
    'worker.autoscaling.type=keda,worker.autoscaling.source=prometheus',
    'prometheusAddress',
  ],
  ['two pools of one name', 'pools[0].name=a-b,pools[1].name=a_b', 'two pools have the name a_b'],
])('%s is refused', async (_name, value, said) => {
  await expect(render([value])).rejects.toThrow(said);
});

withSystemd('the units for systemd are valid, and give programs time to end', async () => {
  const names = ['turnpike-migrate.service', 'turnpike-api.service', 'turnpike-worker@.service'];
  for (const name of names) {
    const unit = await readFile(`${ROOT}deploy/systemd/${name}`, 'utf8');
    await writeFile(join(folder, name), unit.replaceAll('/usr/bin/node', process.execPath));
  }
  const checked = await run('systemd-analyze', ['verify', ...names.map((name) => join(folder, name))]);
  expect(checked.stderr).toBe('');
});
