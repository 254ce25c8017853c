import { openBackplane } from '@turnpike/backplane';
import type { Child } from '../children/child.ts';
import { PUBLIC_MODEL_API, readServerEnvironment } from '../config.ts';
import { describeError, Failure } from '../failure.ts';
import { PROGRAMS, shown } from '../paths.ts';
import { choosePostgresFolder } from '../postgres/choose-folder.ts';
import type { PostgresArgument } from '../programs/postgres.ts';
import type { RedisArgument } from '../programs/redis.ts';
import type { SimulatorArgument } from '../programs/simulator.ts';
import { sayFact } from '../say.ts';
import { describeServer, withDatabase } from '../with-database.ts';
import { findRedis } from './find-redis.ts';
import type { Site } from './site.ts';
import { newLog } from './state-folder.ts';

const STOP_WITHIN_MS = 30_000;

/** The database: the given one where it answers, else an embedded one. Returns its URL. */
export async function startPostgres(site: Site): Promise<string> {
  const { databaseUrl } = site.config;
  if (databaseUrl !== undefined) {
    await withDatabase(databaseUrl, async () => undefined);
    sayFact('Postgres', `${describeServer(databaseUrl)}, from DATABASE_URL`);
    return databaseUrl;
  }
  const folder = await choosePostgresFolder(site.folder.path);
  const argument: PostgresArgument = { folder, runFile: site.folder.runFile, isThrowaway: false };
  const url = await startService(site, 'postgres', 'Postgres', argument);
  const isElsewhere = !folder.startsWith(site.folder.path);
  const reason = isElsewhere ? ', since it does not run as root and may not enter this directory' : '';
  sayFact('Postgres', `${new URL(url).host}, embedded, data in ${shown(folder)}${reason}`);
  return url;
}

/** The backplane: the given one, else a local Redis, else the database. Returns its settings. */
export async function startBackplane(site: Site): Promise<Record<string, string>> {
  const given = site.config.backplane;
  if (given !== undefined) {
    await checkBackplane(given);
    sayFact('Backplane', `${describeServer(given.url)}, from ${given.variable}`);
    return {};
  }
  const found = await findRedis(site.config.searchPath);
  if ('reason' in found) {
    sayFact('Backplane', `Postgres as well: ${found.reason}`);
    return {};
  }
  const argument: RedisArgument = { executable: found.executable, runFile: site.folder.runFile };
  const url = await startService(site, 'redis', 'Redis', argument);
  sayFact('Backplane', `${new URL(url).host}, ${found.executable}, nothing on disk`);
  return { BACKPLANE_URL: url };
}

/** As people call them. */
const CLOUDS = { bedrock: 'Amazon Bedrock', vertex: 'Google Vertex AI' } as const;

/** The model: that of a cloud where one is named, Anthropic's where there is a key, else the simulator. Returns its settings. */
export async function startModel(site: Site): Promise<Record<string, string>> {
  const { modelApiKey, modelBaseUrl, modelProvider } = site.config;
  if (modelProvider !== 'anthropic') {
    sayFact('Model', `${CLOUDS[modelProvider]}, from MODEL_PROVIDER`);
    return {};
  }
  if (modelApiKey !== undefined) {
    sayFact('Model', `${modelBaseUrl ?? PUBLIC_MODEL_API}, with ANTHROPIC_API_KEY`);
    return {};
  }
  const argument: SimulatorArgument = { runFile: site.folder.runFile };
  const url = await startService(site, 'simulator', 'The model simulator', argument);
  sayFact('Model', `${url}, a simulator: ANTHROPIC_API_KEY is not set, so answers are simulated`);
  return { ANTHROPIC_API_KEY: 'simulated', ANTHROPIC_BASE_URL: url };
}

async function startService(
  { children, folder, ending }: Site,
  name: 'postgres' | 'redis' | 'simulator',
  title: string,
  argument: unknown,
): Promise<string> {
  const child: Child = children.start({
    name,
    title,
    program: PROGRAMS[name],
    argument,
    environment: readServerEnvironment(),
    logFile: await newLog(folder, name),
    stopWithinMs: STOP_WITHIN_MS,
    killSignal: name === 'simulator' ? 'SIGKILL' : 'SIGQUIT',
  });
  void child.ended.then((how) => ending.fail(new Failure(child.describeEnd(how))));
  const { url } = await child.ready;
  if (url === undefined) throw new Failure(`${title} did not say where it is.`);
  return url;
}

async function checkBackplane({
  variable,
  url,
  redis,
}: NonNullable<Site['config']['backplane']>): Promise<void> {
  let reason = '';
  const backplane = await openBackplane({
    url,
    redis,
    onError: (error) => {
      reason ||= describeError(error);
    },
  });
  try {
    await backplane.ping();
  } catch (error) {
    throw new Failure(
      `${variable}: ${describeServer(url)} does not answer: ${reason || describeError(error)}.`,
    );
  } finally {
    await backplane.close();
  }
}
