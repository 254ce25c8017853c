import { migrate } from '@turnpike/store';
import { readMigrateConfig } from '../config.ts';
import { describeError, Failure } from '../failure.ts';
import { PRISMA_FOLDER, shown } from '../paths.ts';
import { say, sayFact } from '../say.ts';
import { describeServer, withDatabase } from '../with-database.ts';
import { Api } from './api.ts';
import { writeCommandEnvironment } from './command-environment.ts';
import { developmentAgent } from './development-agent.ts';
import { consoleUrl, developmentKey } from './development-key.ts';
import { showFirstTurn } from './first-turn.ts';
import { developmentMasterKeys } from './master-keys.ts';
import { sayNextSteps } from './next-steps.ts';
import { startApi, startWorkers } from './start-programs.ts';
import { startBackplane, startModel, startPostgres } from './start-services.ts';
import type { Site } from './site.ts';

/** What runs once everything but the workers is up. */
export interface Installation {
  api: Api;
  apiUrl: string;
  key: string;
  /** The environment of the workers. */
  environment: Record<string, string>;
  /** What commands in this directory find. */
  forCommands: Record<string, string>;
}

/** Starts everything, runs a first turn, and prints the next steps. */
export async function bringUp(site: Site): Promise<void> {
  const { folder, ending } = site;
  const { api, apiUrl, forCommands } = await bringUpInstallation(site, (environment) =>
    startWorkers(site, environment),
  );
  const agent = await developmentAgent(api);
  writeCommandEnvironment(folder.environmentFile, { ...forCommands, AGENT: agent.id });
  const turn = await showFirstTurn(api, agent.id, ending.signal);
  sayNextSteps({ apiUrl, keyFile: folder.keyFile, agentId: agent.id, turnId: turn.id });
}

/**
 * Starts services, migrates, and starts the API, and beside it what `startBeside` starts with the environment of
 * workers.
 */
export async function bringUpInstallation(
  site: Site,
  startBeside: (environment: Record<string, string>) => Promise<void>,
): Promise<Installation> {
  const { config, folder, ending } = site;
  say('Turnpike, for development.');
  say();
  const databaseUrl = await startPostgres(site);
  await applyMigrations(site, databaseUrl);
  const backplane = await startBackplane(site);
  const model = await startModel(site);
  const areKeysElsewhere = config.environment['TURNPIKE_KEY_PROVIDER'] === 'vault';
  const ownEnvironment = {
    DATABASE_URL: databaseUrl,
    ...(areKeysElsewhere
      ? {}
      : { TURNPIKE_MASTER_KEYS: config.masterKeys ?? (await developmentMasterKeys(folder.masterKeysFile)) }),
    ...backplane,
  };
  sayFact('Allowed', `tools and webhooks at ${config.egressAllow} (EGRESS_ALLOW)`);
  const environment = { ...config.environment, ...ownEnvironment, ...model };
  // Started first, so stopped last: clients that wait for a turn get its end.
  const started = await startApi(site, environment);
  const [apiUrl] = await Promise.all([started.ready, startBeside(environment)]);
  const key = await withDatabase(databaseUrl, (database) => developmentKey(database, folder.keyFile));
  sayFact('API key', shown(folder.keyFile));
  if (config.environment['CONSOLE'] !== 'off')
    sayFact('Console', await withDatabase(databaseUrl, (database) => consoleUrl(database, apiUrl)));
  if (config.masterKeys === undefined && !areKeysElsewhere)
    sayFact('Secrets', `sealed with ${shown(folder.masterKeysFile)}`);
  sayFact('Logs', shown(folder.logFile('*')));
  sayFact('Environment', `${shown(folder.environmentFile)}, for npx turnpike and for your shell`);
  say();
  const forCommands = { ...ownEnvironment, API: apiUrl, KEY: key };
  writeCommandEnvironment(folder.environmentFile, forCommands);
  return { api: new Api(apiUrl, key, ending.signal), apiUrl, key, environment, forCommands };
}

/** Migrates the database. An interrupted migration would need manual repair, so stopping waits for its end. */
async function applyMigrations({ children, config }: Site, databaseUrl: string): Promise<void> {
  // Always the database that was started or found here, whatever MIGRATE_DATABASE_URL says.
  const { url: named, lockTimeoutMs } = readMigrateConfig(config.environment);
  const url = config.databaseUrl === undefined ? databaseUrl : (named ?? databaseUrl);
  const names = await children
    .finishFirst(migrate(url, PRISMA_FOLDER, { lockTimeoutMs }))
    .catch((error: unknown) => {
      throw new Failure(`The migration of ${describeServer(url)} failed: ${describeError(error)}`);
    });
  if (names.length > 0) sayFact('Migrations', names.join(', '));
}
