import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** The server of a page: below `/api` it asks the API, with a key that the page does not have. */
export interface SameOrigin {
  origin: string;
  stop(): Promise<void>;
}

export async function startSameOrigin(apiUrl: string, apiKey: string): Promise<SameOrigin> {
  const server = createServer((asked, response) => {
    if (asked.headers.authorization !== undefined || asked.url?.startsWith('/api/') !== true) {
      response.writeHead(404).end();
      return;
    }
    const headers = { ...asked.headers, authorization: `Bearer ${apiKey}` };
    const onward = request(apiUrl + asked.url.slice('/api'.length), { method: asked.method, headers });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    asked.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
