import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { describeError, Failure } from '../failure.ts';
import { warn, say } from '../say.ts';

const MOST_BYTES = 1024 * 1024;
/** Headers that identify a delivery or a tool call. */
const SHOWN_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'idempotency-key'];

/** Prints each request and responds with 200 until it is stopped. For development: it verifies no signature. */
export async function receive({ port }: { port: number }): Promise<void> {
  const server = createServer((request, response) => void answer(request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening').catch((error: unknown) => {
    const isInUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    const reason = isInUse ? 'is in use by another program' : `cannot be used: ${describeError(error)}`;
    throw new Failure(`Port ${port} ${reason}; give another one with --port.`);
  });
  const address = server.address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  say(`Listening at http://127.0.0.1:${actualPort}, whatever the path; Ctrl-C stops it.`);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    print(request, await readBody(request));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"received":true}\n');
  } catch (error) {
    warn(`A request could not be read: ${describeError(error)}`);
    response.destroy();
  }
}

function print({ method, url, headers }: IncomingMessage, body: string): void {
  say();
  say(`${method ?? ''} ${url ?? ''}`);
  for (const name of SHOWN_HEADERS) if (headers[name] !== undefined) say(`${name}: ${String(headers[name])}`);
  // Control characters in a request must not reach the terminal.
  if (body !== '') say(body.replaceAll(/(?![\n\t])\p{Cc}/gu, '\uFFFD'));
}

/** Reads a body. Throws where it is too large. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const part = chunk as Buffer;
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Failure('The request is too large.');
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}
