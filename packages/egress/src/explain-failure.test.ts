import { connect, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import { OutcomeUnknownError } from '@turnpike/contract';
import { createEgress } from './egress.ts';
import { EgressRefusedError, EgressUnreachableError } from './errors.ts';
import { caught } from './testing/caught.ts';
import { CERTIFICATE } from './testing/certificate.ts';
import { responseWith, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';

const servers: RawServer[] = [];
const egress = createEgress({ allow: ['127.0.0.1'], ca: CERTIFICATE });

async function start(script: Script = {}): Promise<RawServer> {
  const server = await startRawServer(script);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

function post(server: RawServer, scheme = 'http', path = '/') {
  return egress.send({ method: 'POST', url: `${scheme}://127.0.0.1:${server.port}${path}`, body: 'pay' });
}

test('a refused connection sent nothing', async () => {
  const server = await start();
  await server.close();
  const failure = await caught(post(server));
  expect(failure).toMatchObject({ constructor: EgressUnreachableError, code: 'connect_failed' });
});

const UNANSWERED: [string, (socket: Socket) => void, string][] = [
  ['closed', (socket) => socket.end(), 'connection_lost'],
  ['reset', (socket) => socket.resetAndDestroy(), 'connection_lost'],
  ['closed inside the status line', (socket) => socket.end('HTTP/1.1 2'), 'connection_lost'],
  ['closed inside the head', (socket) => socket.end('HTTP/1.1 200 OK\r\nx-one: 1\r\n'), 'connection_lost'],
  [
    'reset inside the head',
    (socket) => void (socket.write('HTTP/1.1 200 OK\r\nx-'), socket.resetAndDestroy()),
    'connection_lost',
  ],
  ['closed after early hints', (socket) => socket.end('HTTP/1.1 103 Early Hints\r\n\r\n'), 'connection_lost'],
  ['answered in another protocol', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'), 'answer_invalid'],
  [
    'answered with two lengths',
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'),
    'answer_invalid',
  ],
  [
    'answered with a length and chunks',
    (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
    'answer_invalid',
  ],
  [
    'answered with too long a head',
    (socket) => socket.end(responseWith('', `x-one: ${'a'.repeat(20_000)}\r\n`)),
    'answer_invalid',
  ],
  [
    'upgraded without having been asked',
    (socket) => socket.end('HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
    'connection_lost',
  ],
];

test.each(UNANSWERED)(
  'a request that arrived and was %s has an unknown outcome, and was sent once',
  async (_how, onRequest, code) => {
    for (const tls of [false, true]) {
      // With TLS a reset of the inner socket is a close.
      const server = await start({
        tls,
        onRequest: (socket) => (tls && _how.startsWith('reset') ? socket.destroy() : onRequest(socket)),
      });
      const failure = await caught(post(server, tls ? 'https' : 'http'));
      expect({ tls, failure }).toMatchObject({ tls, failure: { constructor: OutcomeUnknownError, code } });
      expect(server.received.filter((text) => text !== '')).toHaveLength(1);
    }
  },
);

test('a request that was read only in part has an unknown outcome', async () => {
  const server = await start({ onConnect: (socket) => socket.once('data', () => socket.resetAndDestroy()) });
  const url = `http://127.0.0.1:${server.port}/`;
  const failure = await caught(egress.send({ method: 'POST', url, body: 'x'.repeat(50_000_000) }));
  expect(failure).toMatchObject({ constructor: OutcomeUnknownError, code: 'connection_lost' });
  expect(server.connections).toBe(1);
});

test.each(['http', 'https'])(
  'a server that sends before the request over %s is connected to once, and what it sends is not a response',
  async (scheme) => {
    const server = await start({
      tls: scheme === 'https',
      onConnect: (socket) => socket.write(responseWith('too early')),
    });
    const outcome = await post(server, scheme).catch((error: unknown) => error);
    // Over a slow path the request is sent before the data arrives; then it looks like a response.
    if (outcome instanceof Error) expect(outcome).toBeInstanceOf(OutcomeUnknownError);
    expect(server.connections).toBe(1);
  },
);

test.each([
  ['closes', (socket: Socket) => socket.end()],
  ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ['speaks HTTP instead', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
])('a server that %s in the handshake was sent nothing', async (_how, onConnect) => {
  const server = await start({ onConnect });
  const failure = await caught(post(server, 'https'));
  expect(failure).toBeInstanceOf(EgressUnreachableError);
  expect(server.received.join('')).not.toContain('pay');
});

test('a connection that breaks at the end of the handshake is not a refusal, whichever side is faster', async () => {
  const inner = await start({ tls: true, onRequest: (socket) => socket.end(responseWith('fine')) });
  // A proxy: it forwards the server's first flight and then resets.
  const proxy = await start({
    onConnect(socket) {
      const upstream = connect(inner.port, '127.0.0.1');
      upstream.on('error', () => undefined);
      socket.pipe(upstream);
      upstream.once('data', (flight: Buffer) => {
        socket.write(flight);
        socket.resetAndDestroy();
        upstream.destroy();
      });
    },
  });
  for (let count = 0; count < 20; count += 1) {
    const failure = await caught(post(proxy, 'https'));
    expect(failure).not.toBeInstanceOf(EgressRefusedError);
    expect([EgressUnreachableError, OutcomeUnknownError]).toContain((failure as Error).constructor);
  }
  expect(inner.received.join('')).toBe('');
});

test('whenever a connection breaks, a request reported as unsent never arrived, and none arrived twice', async () => {
  const stages: ((socket: Socket) => void)[] = [
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.end(),
    (socket) => socket.destroy(),
    (socket) => void setImmediate(() => socket.resetAndDestroy()),
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
    (socket) => socket.once('data', () => socket.end()),
    (socket) => socket.once('data', () => setImmediate(() => socket.destroy())),
    (socket) => socket.once('data', () => socket.end('HTTP/1.1 200')),
    (socket) =>
      socket.once('data', () => void (socket.write(responseWith('fine')), socket.resetAndDestroy())),
    (socket) => socket.once('data', () => socket.end(responseWith('fine'))),
  ];
  let accepted = 0;
  const server = await start({ onConnect: (socket) => stages[accepted++ % stages.length]?.(socket) });
  let sent = 0;
  const sendSome = async (): Promise<void> => {
    for (let count = 0; count < 60; count += 1) {
      sent += 1;
      const path = `/${sent}/`;
      const outcome = await post(server, 'http', path).catch((error: unknown) => error);
      const seen = server.received.filter((text) => text.startsWith(`POST ${path} `)).length;
      expect({ path, twice: seen > 1, refused: outcome instanceof EgressRefusedError }).toEqual({
        path,
        twice: false,
        refused: false,
      });
      if (outcome instanceof EgressUnreachableError) expect({ path, seen }).toEqual({ path, seen: 0 });
      else if (outcome instanceof Error) expect(outcome).toBeInstanceOf(OutcomeUnknownError);
    }
  };
  await Promise.all(Array.from({ length: 5 }, sendSome));
  expect(server.connections).toBeLessThanOrEqual(sent);
});

test('no error, including its causes, contains the query, a header or the body', async () => {
  const hidden = 'hunter22';
  const echo = (head: string) => (socket: Socket, request: string) => void socket.end(head + request);
  const closed = await start();
  await closed.close();
  const targets: [string, RawServer][] = [
    ['http', closed],
    ['https', await start({ onConnect: (socket) => socket.end('no') })],
    ['https', await start({ onConnect: (socket) => socket.end() })],
    ['http', await start({ onRequest: (socket) => socket.end() })],
    ['http', await start({ onRequest: (socket) => socket.resetAndDestroy() })],
    ['http', await start({ onRequest: echo('') })],
    ['http', await start({ onRequest: echo('HTTP/1.1 200 OK\r\n') })],
    ['http', await start({ onRequest: echo('HTTP/1.1 200 OK\r\nbad header: ') })],
    ['http', await start({ onRequest: echo('HTTP/1.1 20x ') })],
  ];
  for (const [scheme, server] of targets) {
    const outcome = await egress
      .send({
        method: 'POST',
        url: `${scheme}://127.0.0.1:${server.port}/${hidden}?key=${hidden}#${hidden}`,
        headers: { authorization: `Bearer ${hidden}`, cookie: hidden },
        body: hidden,
      })
      .catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Error);
    expect(inspect(outcome, { depth: 20, showHidden: true, maxStringLength: Infinity })).not.toContain(
      hidden,
    );
  }
});
