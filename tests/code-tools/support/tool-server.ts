import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** What the tools of the tests speak to. It counts, and says how often it was asked. */
export interface ToolServer {
  readonly url: string;
  /** How often each path was asked. */
  readonly counts: Map<string, number>;
  /** Responses to `/hold`, which wait for the test. */
  readonly held: (() => void)[];
  count(path: string): number;
  close(): void;
}

export async function startToolServer(): Promise<ToolServer> {
  const counts = new Map<string, number>();
  const held: (() => void)[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    const path = request.url ?? '';
    const number = (counts.get(path) ?? 0) + 1;
    counts.set(path, number);
    const answer = (): void => void response.end(JSON.stringify({ path, number }));
    if (path === '/cut') request.socket.destroy();
    else if (path === '/hold') held.push(answer);
    else answer();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    counts,
    held,
    count: (path) => counts.get(path) ?? 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
