import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

const MEGABYTE = 1024 ** 2;

/** A tenant's gateway that answers every model call with a stream of 31 MB of text. */
export interface EndlessGateway {
  url: string;
  /** Bytes that it has written in all responses. */
  readonly written: number;
  /** Milliseconds between two pieces of 64 kB; 0: as fast as they are read. */
  paceMs: number;
  close(): void;
}

export async function startEndlessGateway(): Promise<EndlessGateway> {
  const state = { written: 0, paceMs: 0 };
  const server = createServer((request, response) => {
    request.resume().on('end', () => writeAtLength(response, state));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return Object.assign(state, {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
}

const event = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const DELTA = event('content_block_delta', {
  index: 0,
  delta: { type: 'text_delta', text: 'x'.repeat(900) },
});
const PIECE = DELTA.repeat(64);

function writeAtLength(response: ServerResponse, state: { written: number; paceMs: number }): void {
  response.on('error', () => undefined);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const usage = { input_tokens: 1, output_tokens: 1 };
  response.write(event('message_start', { message: { model: 'claude-sonnet-4-5', usage } }));
  response.write(event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }));
  let left = 31 * MEGABYTE;
  const write = (): void => {
    if (response.destroyed) return;
    if (left <= 0) {
      response.end();
      return;
    }
    left -= PIECE.length;
    state.written += PIECE.length;
    if (!response.write(PIECE)) response.once('drain', write);
    else if (state.paceMs > 0) setTimeout(write, state.paceMs);
    else setImmediate(write);
  };
  write();
}
