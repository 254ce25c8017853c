import type { ChildSettings } from '../children/child.ts';
import { keepWorker } from '../children/keep-worker.ts';
import { Failure } from '../failure.ts';
import { END_WITH_PARENT, PROGRAMS } from '../paths.ts';
import { sayFact } from '../say.ts';
import { choosePort } from './choose-port.ts';
import type { Site } from './site.ts';
import { newLog } from './state-folder.ts';

const WORKERS = ['1', '2'];
/** More than the time after which the programs exit by themselves. */
const MARGIN_MS = 10_000;

/**
 * Starts the API, on the loopback address, and the workers. Returns the API's URL when all are ready. A worker that
 * dies later is started again; the end of the API stops everything.
 */
export async function startPrograms(site: Site, environment: Record<string, string>): Promise<string> {
  const { children, config, ending } = site;
  const { port, note } = await choosePort(config.port);
  const apiSettings: ChildSettings = {
    ...(await settingsOf(site, 'api')),
    title: 'The API',
    program: PROGRAMS.api,
    // No load balancer needs a delay. Several processes cannot share one METRICS_PORT.
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

  // Started first, so stopped last: clients that wait for a turn get its end.
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
