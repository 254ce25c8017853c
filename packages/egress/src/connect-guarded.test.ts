import { afterEach, expect, test } from '@jest/globals';
import { checkDestination } from './check-destination.ts';
import { guardedConnector } from './connect-guarded.ts';
import { createEgress } from './egress.ts';
import { EgressRefusedError, EgressUnreachableError } from './errors.ts';
import { type EgressPolicy, parsePolicy } from './policy.ts';
import { caught } from './testing/caught.ts';
import { CERTIFICATE } from './testing/certificate.ts';
import { responseWith, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';

const servers: RawServer[] = [];

async function start(script: Script = {}): Promise<RawServer> {
  const server = await startRawServer({ onRequest: (socket) => socket.end(responseWith('fine')), ...script });
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

function get(url: string, policy: EgressPolicy) {
  return createEgress(policy).send({ method: 'GET', url });
}

test.each([
  [['127.0.0.1']],
  [['8.8.8.8', '127.0.0.1']],
  [['127.0.0.1', '8.8.8.8']],
  [['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111', '169.254.169.254']],
  [['8.8.8.8', '::1']],
  [['8.8.8.8', '::ffff:8.8.8.8']],
  [['8.8.8.8', 'fe80::1%eth0']],
  [['8.8.8.8', '64:ff9b::7f00:1']],
  [['8.8.8.8', '10.0.0.1', '1.1.1.1']],
  [['8.8.8.8', '168.63.129.16']],
  [['8.8.8.8', 'localhost']],
  [['8.8.8.8', '']],
  [['8.8.8.8', '0x7f.1']],
])(
  'a name with the addresses %j is refused, in any order, and the error contains no address',
  async (addresses) => {
    const server = await start();
    const failure = await caught(
      get(`http://tenant.example:${server.port}`, { lookup: () => Promise.resolve(addresses) }),
    );
    expect(failure).toMatchObject({ constructor: EgressRefusedError, code: 'address_refused' });
    expect(String(failure)).toMatch(/: tenant\.example (is not at a public|has no valid) address\.$/);
    expect(server.connections).toBe(0);
  },
);

test('localhost is refused by the system’s resolver too, in any spelling', async () => {
  const server = await start();
  for (const name of ['localhost', 'LOCALHOST', 'localhost.']) {
    const failure = await caught(get(`http://${name}:${server.port}`, {}));
    // Not every resolver accepts the name with a trailing dot.
    expect(['address_refused', 'dns_failed']).toContain((failure as { code?: string }).code);
  }
  expect(server.connections).toBe(0);
});

test('DNS records that change between look-ups never lead to an unchecked address', async () => {
  const allowed = await start();
  const forbidden = await start({ host: '127.0.0.2', port: allowed.port });
  const records = [
    ['127.0.0.1'],
    ['127.0.0.2'],
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.2', '127.0.0.1'],
    ['127.0.0.1'],
  ];
  let lookups = 0;
  const egress = createEgress({
    allow: ['127.0.0.1'],
    lookup: () => Promise.resolve(records[lookups++ % records.length] ?? []),
  });
  const tally = { succeeded: 0, refused: 0 };
  const sendSome = async (): Promise<void> => {
    for (let count = 0; count < 125; count += 1) {
      const request = egress.send({ method: 'GET', url: `http://flip.example:${allowed.port}` });
      const outcome = await request.catch((error: unknown) => error);
      if (outcome instanceof EgressRefusedError) tally.refused += 1;
      else if (outcome instanceof Error) throw outcome;
      else tally.succeeded += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, sendSome));
  expect(tally).toEqual({ succeeded: 400, refused: 600 });
  // One look-up per request: there is no second one that could return something else.
  expect(lookups).toBe(1_000);
  expect(allowed.connections).toBe(400);
  expect(forbidden.connections).toBe(0);
});

test('an address list that changes after its check does not redirect the connection', async () => {
  const allowed = await start();
  const forbidden = await start({ host: '127.0.0.2', port: allowed.port });
  let reads = 0;
  const changing = new Proxy(['127.0.0.1'], {
    get(target, key) {
      if (key !== '0') return Reflect.get(target, key) as unknown;
      reads += 1;
      return reads === 1 ? '127.0.0.1' : '127.0.0.2';
    },
  });
  const failure = await caught(
    get(`http://flip.example:${allowed.port}`, {
      allow: ['127.0.0.1'],
      lookup: () => Promise.resolve(changing),
    }),
  );
  expect(failure).toBeInstanceOf(EgressRefusedError);
  // The peer is checked before the request is sent, so at worst there is a connection without data.
  expect(forbidden.received.join('')).toBe('');
});

test('of several allowed addresses, one that accepts connections is enough', async () => {
  const server = await start();
  const response = await get(`http://two.example:${server.port}`, {
    allow: ['127.0.0.0/8'],
    lookup: () => Promise.resolve(['127.0.0.2', '127.0.0.1']),
  });
  expect(response.status).toBe(200);
  expect(server.received).toHaveLength(1);
});

test('a name on the allow-list may be private, and its subdomains may not', async () => {
  const server = await start();
  const policy = { allow: [`dev.internal:${server.port}`], lookup: () => Promise.resolve(['127.0.0.1']) };
  expect((await get(`http://dev.internal:${server.port}`, policy)).status).toBe(200);
  const failure = await caught(get(`http://sub.dev.internal:${server.port}`, policy));
  expect(failure).toBeInstanceOf(EgressRefusedError);
});

test.each([
  ['its address', ['127.0.0.0/8']],
  ['its name', ['dev.internal']],
])('a denial by %s takes precedence over the allow-list', async (_by, deny) => {
  const server = await start();
  const allow = ['dev.internal', '127.0.0.1'];
  const lookup = () => Promise.resolve(['127.0.0.1']);
  for (const host of ['dev.internal', 'dev.internal.', 'DEV.internal']) {
    const failure = await caught(get(`http://${host}:${server.port}`, { allow, deny, lookup }));
    expect(failure).toMatchObject({ constructor: EgressRefusedError, code: 'address_refused' });
  }
  expect(server.connections).toBe(0);
});

test.each([
  ['rejects', () => Promise.reject(new Error('ENOTFOUND'))],
  [
    'throws',
    () => {
      throw new Error('broken resolver');
    },
  ],
  ['returns nothing', () => Promise.resolve([])],
])('a look-up that %s sends nothing and can be retried', async (_what, lookup) => {
  const failure = await caught(get('http://tenant.example', { lookup }));
  expect(failure).toMatchObject({ constructor: EgressUnreachableError, code: 'dns_failed' });
});

test('a look-up that never ends times out', async () => {
  const lookup = () => new Promise<never>(() => undefined);
  for (const limits of [{ connectTimeoutMs: 20 }, { deadlineMs: 20 }]) {
    const failure = await caught(get('http://tenant.example', { lookup, ...limits }));
    expect(failure).toMatchObject({ constructor: EgressUnreachableError, code: 'connect_timeout' });
  }
});

test('a look-up that ends after the request timed out makes no connection', async () => {
  const server = await start();
  let resolveName = (_addresses: string[]): void => undefined;
  const resolved = new Promise<string[]>((resolve) => {
    resolveName = resolve;
  });
  const policy = { allow: ['127.0.0.1'], deadlineMs: 20, lookup: () => resolved };
  await caught(get(`http://tenant.example:${server.port}`, policy));
  resolveName(['127.0.0.1']);
  // A later request through the same resolver arrives, so the first one would have arrived by now.
  await get(`http://tenant.example:${server.port}`, { ...policy, deadlineMs: 60_000 });
  expect(server.connections).toBe(1);
});

test('a trusted certificate is accepted, for a name and for an address', async () => {
  const server = await start({ tls: true });
  const policy = { ca: CERTIFICATE, allow: ['127.0.0.1'], lookup: () => Promise.resolve(['127.0.0.1']) };
  expect((await get(`https://tenant.example:${server.port}`, policy)).status).toBe(200);
  expect((await get(`https://127.0.0.1:${server.port}`, policy)).status).toBe(200);
});

test.each([
  ['is not trusted', 'tenant.example', {}],
  ['is for another name', 'other.example', { ca: CERTIFICATE }],
])('a certificate that %s ends the request before a byte of it is sent', async (_what, host, more) => {
  const server = await start({ tls: true });
  const policy = { ...more, allow: ['127.0.0.1'], lookup: () => Promise.resolve(['127.0.0.1']) };
  const failure = await caught(get(`https://${host}:${server.port}`, policy));
  expect(failure).toMatchObject({ constructor: EgressUnreachableError, code: 'tls_failed' });
  expect(server.received.join('')).toBe('');
});

test('no environment variable turns certificate verification off', async () => {
  const server = await start({ tls: true });
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  try {
    const failure = await caught(get(`https://127.0.0.1:${server.port}`, { allow: ['127.0.0.1'] }));
    expect(failure).toMatchObject({ code: 'tls_failed' });
  } finally {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  }
  expect(server.received.join('')).toBe('');
});

test('a request has one connection: a second one is refused', async () => {
  const server = await start();
  const rules = parsePolicy({ allow: ['127.0.0.1'] });
  const destination = checkDestination(`http://127.0.0.1:${server.port}`, rules);
  const abandoned = new AbortController().signal;
  const connector = guardedConnector(destination, rules, { connected: false, abandoned, reset: false });
  const open = () =>
    new Promise((resolve, reject) => {
      const options = { hostname: '127.0.0.1', protocol: 'http:', port: String(server.port) };
      connector(options, (error, socket) => (error === null ? resolve(socket.destroy()) : reject(error)));
    });
  await open();
  await expect(open()).rejects.toThrow('The connection of this request was closed.');
  await server.firstClosed;
  expect(server.connections).toBe(1);
});
