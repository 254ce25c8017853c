import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';

export interface Asked {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds, of a clock that only goes on. */
  at: number;
}

export type Answering = (response: ServerResponse, number: number) => void;

/** A server that says what a test wants a client to hear, and keeps what it was asked. */
export interface FixedResponseServer {
  url: string;
  asked: Asked[];
  stop(): Promise<void>;
}

/** `number` counts the requests from 0. */
export async function startFixedResponseServer(answer: Answering): Promise<FixedResponseServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const at = performance.now();
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, path: url, headers, body, at });
      answer(response, asked.length - 1);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A problem, as the service tells of one. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'x-request-id': 'req_1',
    ...headers,
  });
  response.end(
    JSON.stringify({ type: 'x', title: 'x', status, detail: 'Not now.', code, request_id: 'req_1' }),
  );
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
