import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

export interface ServedParts {
  metrics: Metrics;
  readiness: Readiness;
  port: number;
  host: string;
}

/** Serves `GET /metrics`, `/livez` and `/readyz` on a separate port that clients do not reach. */
export async function serveMetrics({
  metrics,
  readiness,
  port,
  host,
}: ServedParts): Promise<{ port: number; close(): Promise<void> }> {
  const handlers: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/livez': async (response) => void response.end('ok\n'),
    async '/readyz'(response) {
      const report = await readiness.read();
      response.writeHead(report.status === 'ok' ? 200 : 503, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(report)}\n`);
    },
    async '/metrics'(response) {
      const { contentType, text } = await metrics.render();
      response.setHeader('content-type', contentType).end(text);
    },
  };
  const server = createServer((request, response) => {
    const handle = Object.hasOwn(handlers, request.url ?? '') ? handlers[request.url ?? ''] : undefined;
    if (handle === undefined) response.writeHead(404).end();
    else handle(response).catch(() => response.writeHead(500).end());
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
