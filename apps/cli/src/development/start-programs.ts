import type { ChildSettings } from '../children/child.ts';
import { keepWorker } from '../children/keep-worker.ts';
import { Failure } from '../failure.ts';
import { END_WITH_PARENT, PROGRAMS } from '../places.ts';
import { sayFact } from '../say.ts';
import { choosePort } from './choose-port.ts';
import type { Site } from './site.ts';
import { newLog } from './state-folder.ts';

const WORKERS = ['1', '2'];
/** Beyond the time after which the programs end by themselves. */
const MARGIN_MS = 10_000;

/**
 * Starts the API, for this machine only, and the workers. Returns the API's address when all are
 * ready. A worker that dies later is started again; without the API there is nothing to go on with.
 */
export async function startPrograms(site: Site, environment: Record<string, string>): Promise<string> {
  const { children, config, ending } = site;
  const { port, note } = await choosePort(config.port);
  const apiSettings: ChildSettings = {
    ...(await settingsOf(site, 'api')),
    title: 'The API',
    program: PROGRAMS.api,
    // No balancer is to see it go first. One port for metrics is not for several processes.
    environment: {
      ...environment,
      HOST: '127.0.0.1',
      PORT: String(port),
      METRICS_PORT: '',
      SHUTDOWN_DELAY_MS: '0',
    },
    stopWithinMs: config.shutdownMs + MARGIN_MS,
  };
  const workerSettings: ChildSettings[] = [];
  for (const number of WORKERS) {
    workerSettings.push({
      ...(await settingsOf(site, `worker-${number}`)),
      title: `Worker ${number}`,
      program: PROGRAMS.worker,
      environment: { ...environment, METRICS_PORT: '' },
      stopWithinMs: config.drainMs + MARGIN_MS,
    });
  }

  // Started first, it is stopped last: who waits for a turn hears how it ended.
  const api = children.start(apiSettings);
  void api.ended.then((how) => ending.fail(new Failure(api.describeEnd(how))));
  const workers = workerSettings.map((settings) => keepWorker(children, settings, ending));
  await Promise.all([api.ready, ...workers]);
  const url = `http://127.0.0.1:${port}`;
  sayFact('API', `${url}${note}`);
  sayFact('Workers', `${WORKERS.length} processes`);
  return url;
}

async function settingsOf(
  { folder }: Site,
  name: string,
): Promise<Pick<ChildSettings, 'name' | 'preload' | 'logFile' | 'killSignal'>> {
  return { name, preload: END_WITH_PARENT, logFile: await newLog(folder, name), killSignal: 'SIGKILL' };
}
