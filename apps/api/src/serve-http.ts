import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Logger } from '@turnpike/telemetry';
import { createHttpServer } from './create-http-server.ts';

export interface HttpServerSettings {
  host: string;
  /** 0: any that is free. */
  port: number;
  logger: Logger;
  /** From then on each response closes its connection, so that clients move to another process. */
  isStopping(): boolean;
}

export interface RunningHttpServer {
  port: number;
  /** Accepts no new connections; resolves when the requests in progress have their responses. */
  close(): Promise<void>;
}

const IDLE_CHECK_MS = 50;

/** Serves `app`; resolves once it listens. */
export async function serveHttp(
  app: RequestListener,
  { host, port, logger, isStopping }: HttpServerSettings,
): Promise<RunningHttpServer> {
  const server = createHttpServer(app, logger);
  server.prependListener('request', (_request, response) => {
    if (isStopping()) response.setHeader('Connection', 'close');
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      server.close();
      // A kept-alive connection becomes idle only after its last response.
      const closing = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
      await once(server, 'close');
      clearInterval(closing);
    },
  };
}
