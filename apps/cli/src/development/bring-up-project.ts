import { join } from 'node:path';
import { Turnpike } from '@turnpike/client';
import { shown } from '../paths.ts';
import { findConfig } from '../project/find-config.ts';
import { watchFiles } from '../project/watch-files.ts';
import { say, sayFact, warn } from '../say.ts';
import { FOLDERS, listFiles } from '../definitions/read-definitions.ts';
import { applyProject } from './apply-project.ts';
import { bringUpInstallation, type Installation } from './bring-up.ts';
import { CodeWorkers } from './code-workers.ts';
import { showTurns } from './show-turns.ts';
import { startWorkers } from './start-programs.ts';
import type { Site } from './site.ts';

/** Starts everything with the project in the working directory, and follows its files and its turns. */
export async function bringUpProject(site: Site): Promise<void> {
  const directory = process.cwd();
  const path = findConfig(directory);
  let workers: CodeWorkers | null = null;
  const installation = await bringUpInstallation(site, async (environment) => {
    if (path === null) {
      sayFact('Project', 'no turnpike.config.ts here: only builtin and HTTP tools');
      await startWorkers(site, environment);
      return;
    }
    workers = new CodeWorkers(site, path, environment);
    await reload(workers, path);
  });
  const turnpike = new Turnpike({ baseUrl: installation.apiUrl, apiKey: installation.key, maxRetries: 2 });
  const apply = (): Promise<void> =>
    applyProject({
      turnpike,
      directory,
      config: path === null || workers === null ? null : { path, agents: workers.agents },
      signingSecretsFile: join(site.folder.path, 'signing-secrets'),
    });
  await apply();
  const { items: agents } = await turnpike.agents.list({ limit: 1 }).page();
  sayHowToGoOn(installation, agents[0]?.name);
  void showTurns(turnpike, site.ending.signal);
  await watchFiles(
    async () => [...(workers?.files() ?? []), ...(await definitionFiles(directory))],
    async (changed) => {
      const code = workers?.files() ?? new Set<string>();
      if (workers !== null && path !== null && changed.some((file) => code.has(file))) {
        await reload(workers, path, changed);
      }
      await apply();
    },
    () => workers?.missing ?? new Set(),
    site.ending.signal,
  );
}

/** Starts a worker with the code as it is now. Where that cannot be, the code before it serves on. */
async function reload(workers: CodeWorkers, path: string, changed: readonly string[] = []): Promise<void> {
  const start = performance.now();
  try {
    const { tools, turns } = await workers.replace();
    const took = `${Math.round(performance.now() - start)} ms`;
    const what = tools.length === 0 ? 'no tools' : tools.join(', ');
    if (changed.length === 0) {
      sayFact('Project', `${shown(path)}: ${what}`);
      return;
    }
    const old = turns ? '; turns that run finish on the code before' : '';
    say(`  reloaded     ${changed.map(shown).join(', ')} in ${took}: ${what}${old}`);
  } catch (error) {
    if (workers.signal.aborted) return;
    for (const line of (error instanceof Error ? error.message : String(error)).split('\n')) warn(line);
    warn(workers.isServing ? 'The code before this serves on.' : 'Turns wait until this is mended.');
  }
}

async function definitionFiles(directory: string): Promise<string[]> {
  const folders = Object.values(FOLDERS).map((name) => join(directory, name));
  const files = await Promise.all(folders.map((folder) => listFiles(folder).catch(() => [])));
  return [...folders, ...files.flat()];
}

function sayHowToGoOn({ apiUrl }: Installation, agent: string | undefined): void {
  say();
  say('In another terminal, in this directory:');
  say();
  say(`  npx turnpike run ${JSON.stringify(agent ?? 'AGENT')} "Hello"`);
  say();
  say(`The whole API: ${apiUrl}/docs`);
  say('Saved files are loaded. Ctrl-C stops everything; the data is kept.');
  say();
}
