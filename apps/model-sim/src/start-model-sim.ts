import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { makeApiApp, makeControlApp } from './make-app.ts';
import { scriptSchema } from './script.ts';
import type { ScriptInput } from './script.ts';
import { Simulation } from './simulation.ts';

export interface ModelSimOptions {
  /** 0 or left out: any free one. */
  port?: number | undefined;
  host?: string | undefined;
  script?: ScriptInput | undefined;
  /** Left out: the control routes are on `port`. */
  controlPort?: number | undefined;
}

export interface ModelSim {
  /** For the SDK's `baseURL`. */
  url: string;
  port: number;
  /** For `SimControl`. */
  controlUrl: string;
  /** Ends every call under way and stops listening. */
  close(): Promise<void>;
}

/** Starts a simulator in this process. Throws a `ZodError` for a script that is not valid. */
export async function startModelSim(options: ModelSimOptions = {}): Promise<ModelSim> {
  const host = options.host ?? '127.0.0.1';
  const simulation = new Simulation(scriptSchema.parse(options.script ?? {}));
  const { controlPort } = options;
  const api = await listen(makeApiApp(simulation, controlPort === undefined), options.port ?? 0, host);
  const servers = [api];
  let controlUrl = urlOf(api, host);
  try {
    if (controlPort !== undefined) {
      const control = await listen(makeControlApp(simulation), controlPort, host);
      servers.push(control);
      controlUrl = urlOf(control, host);
    }
  } catch (error) {
    await closeServer(api);
    throw error;
  }
  return {
    url: urlOf(api, host),
    port: portOf(api),
    controlUrl,
    close: async () => {
      simulation.ticker.stop();
      await Promise.all(servers.map(closeServer));
    },
  };
}

async function listen(app: RequestListener, port: number, host: string): Promise<Server> {
  // Longer than a client keeps an idle connection, so that none is closed under a new request.
  const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, app);
  server.listen({ port, host, backlog: 4096 });
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function urlOf(server: Server, host: string): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${portOf(server)}`;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
