// A tenant's gateway that responds to every model call with a stream of 31 MB of text. A process of its own, which
// yields to all others: what it takes to write so much is no part of what is measured beside it.
import { createServer } from 'node:http';
import { setPriority } from 'node:os';

setPriority(19);

const TOTAL_BYTES = 31 * 1024 ** 2;
/** Milliseconds between two pieces of 64 kB; 0: as fast as they are read. */
let paceMs = 0;
let written = 0;

const event = (type, fields) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const usage = { input_tokens: 1, output_tokens: 1 };
const HEAD =
  event('message_start', { message: { model: 'claude-sonnet-4-5', usage } }) +
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
const delta = { type: 'text_delta', text: 'x'.repeat(900) };
const PIECE = event('content_block_delta', { index: 0, delta }).repeat(64);

const server = createServer((request, response) => {
  request.resume().on('end', () => writeAtLength(response));
});
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', (message) => {
  if ('paceMs' in message) ({ paceMs } = message);
  process.send({ written });
});

function writeAtLength(response) {
  response.on('error', () => undefined);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(HEAD);
  let left = TOTAL_BYTES;
  const write = () => {
    if (response.destroyed) return;
    if (left <= 0) {
      response.end();
      return;
    }
    left -= PIECE.length;
    written += PIECE.length;
    if (!response.write(PIECE)) response.once('drain', write);
    else if (paceMs > 0) setTimeout(write, paceMs);
    else setImmediate(write);
  };
  write();
}
