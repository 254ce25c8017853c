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

/** Starts the API, on the loopback address. `ready` resolves with its URL; its end stops everything. */
export async function startApi(
  site: Site,
  environment: Record<string, string>,
): Promise<{ ready: Promise<string> }> {
  const { children, config, ending } = site;
  const { port, note } = await choosePort(config.port);
  const api = children.start({
    ...(await programSettings(site, 'api')),
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
  });
  void api.ended.then((how) => ending.fail(new Failure(api.describeEnd(how))));
  const url = `http://127.0.0.1:${port}`;
  const ready = api.ready.then(() => {
    sayFact('API', `${url}${note}`);
    return url;
  });
  return { ready };
}

/** Starts the workers. One that dies later is started again. */
export async function startWorkers(site: Site, environment: Record<string, string>): Promise<void> {
  const settings: ChildSettings[] = [];
  for (const number of WORKERS) {
    settings.push({
      ...(await workerSettings(site, `worker-${number}`, environment)),
      title: `Worker ${number}`,
      program: PROGRAMS.worker,
    });
  }
  await Promise.all(settings.map((one) => keepWorker(site.children, one, site.ending)));
  sayFact('Workers', `${WORKERS.length} processes`);
}

/** The settings of a worker, but for what it is called and what it runs. */
export async function workerSettings(
  site: Site,
  name: string,
  environment: Record<string, string>,
): Promise<Omit<ChildSettings, 'title' | 'program'>> {
  return {
    ...(await programSettings(site, name)),
    environment: { ...environment, METRICS_PORT: '' },
    stopWithinMs: site.config.drainMs + MARGIN_MS,
  };
}

async function programSettings(
  { folder }: Site,
  name: string,
): Promise<Pick<ChildSettings, 'name' | 'preloads' | 'logFile' | 'killSignal'>> {
  return { name, preloads: [END_WITH_PARENT], logFile: await newLog(folder, name), killSignal: 'SIGKILL' };
}
