import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Turnpike } from '@turnpike/client';
import type { Turn } from '@turnpike/contract';
import { changeLimits, createApiKey, createTenant } from '@turnpike/store';
import { canaryOf, scan, uniqueText } from '../security/support/canary.ts';
import { readPostgres } from '../security/support/read-postgres.ts';
import { readRedis } from '../security/support/read-redis.ts';
import { Cluster } from '../support/cluster.ts';
import { makePng } from '../support/pictures.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';

/** Listens on a free port. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, server };
}

const picture = (bytes = 300_000): Buffer => makePng({ width: 4, height: 4, bytes });

describe('turns with files', () => {
  let cluster: Cluster;
  let turnpike: Turnpike;
  let agentId: string;
  let servers: Server[];
  let toolUrl: string;
  /** Bodies that the model API was sent. */
  const sent: string[] = [];
  /** What the tool responds with. */
  let output: { type: string; body: Buffer } = { type: 'text/plain', body: Buffer.from('') };

  beforeAll(async () => {
    cluster = await Cluster.join();
    turnpike = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
    const gateway = await serve(async (request, response) => {
      const body = await text(request);
      sent.push(body);
      expect(request.headers['content-length']).toBe(String(Buffer.byteLength(body)));
      const answer = await fetch(`${cluster.model.url}${request.url ?? ''}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-api-key': String(request.headers['x-api-key']),
          'anthropic-version': String(request.headers['anthropic-version']),
        },
        body,
      });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    const tool = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': output.type }).end(output.body);
      return Promise.resolve();
    });
    servers = [gateway.server, tool.server];
    toolUrl = tool.url;
    await cluster.request('PUT', '/v1/model_settings', { keys: ['model'], base_url: gateway.url });
    await cluster.createTool({ name: 'fetch_report', url: toolUrl, effect: 'read', max_output_bytes: 1_000 });
    agentId = (await cluster.createAgent({ tools: [{ type: 'http', name: 'fetch_report' }] })).id;
  });
  beforeEach(async () => {
    sent.splice(0);
    await cluster.control.reset();
  });
  afterAll(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await cluster.stop();
  });

  const ended = async (turn: Pick<Turn, 'id'>): Promise<Turn> => cluster.untilEnded(turn.id);
  const image = (id: string) => ({ type: 'image' as const, source: { type: 'file' as const, file_id: id } });

  test('the model gets the contents, also in later turns, and a short text once a file is deleted', async () => {
    const png = picture();
    const words = 'Line "one"\n\\ and ü 😀';
    const shown = await turnpike.files.upload({
      content: new Uint8Array(png),
      filename: 'p.png',
      media_type: 'image/png',
    });
    const read = await turnpike.files.upload({
      content: words,
      filename: 'w.md',
      media_type: 'text/markdown',
    });
    const document = { type: 'document' as const, source: { type: 'file' as const, file_id: read.id } };
    const first = await turnpike.turns.submit({
      agent_id: agentId,
      input: [image(shown.id), document, { type: 'text', text: 'What is this?' }],
    });
    expect(await ended(first)).toMatchObject({ status: 'completed', attempts: 1 });
    const contentOf = (body: string | undefined) => JSON.parse(body ?? '').messages[0].content.slice(0, 2);
    const whole = [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png.toString('base64') } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: words } },
    ];
    expect(contentOf(sent[0])).toMatchObject(whole);

    const second = await turnpike.turns.submit({ session_id: first.session_id, input: 'And now?' });
    expect(await ended(second)).toMatchObject({ status: 'completed' });
    expect(contentOf(sent[1])).toMatchObject(whole);

    await turnpike.files.delete(shown.id);
    const third = await turnpike.turns.submit({ session_id: first.session_id, input: 'And then?' });
    expect(await ended(third)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(contentOf(sent[2])).toMatchObject([
      { type: 'text', text: '[left out: image, since the file was deleted]' },
      whole[1],
    ]);
    const stored = JSON.stringify(await cluster.request('GET', `/v1/sessions/${first.session_id}/messages`));
    expect(stored).not.toContain(png.toString('base64').slice(0, 1_000));
  });

  test('an output that is too large for the model is a file, which is erased with the session', async () => {
    const report = Array.from({ length: 3_000 }, (_none, line) => `line ${line} of the report`).join('\n');
    output = { type: 'text/plain', body: Buffer.from(report) };
    const rules = [{ match: { step: 0 }, reply: { tool_uses: [{ name: 'fetch_report', input: {} }] } }];
    await cluster.control.setScript({ rules });
    const turn = await turnpike.turns.submit({ agent_id: agentId, input: 'Fetch it.' });
    expect(await ended(turn)).toMatchObject({ status: 'completed' });
    const files = (await turnpike.files.list({ session_id: turn.session_id }).page()).items;
    expect(files).toMatchObject([
      {
        status: 'ready',
        media_type: 'text/plain',
        bytes: report.length,
        turn_id: turn.id,
        filename: 'fetch_report-1.txt',
      },
    ]);
    const [file] = files;
    const id = file?.id ?? '';
    const result = JSON.stringify(JSON.parse(sent[1] ?? '').messages.at(-1));
    expect(result).toContain('line 0 of the report');
    expect(result).not.toContain('line 100 of the report');
    expect(result).toContain(`The whole output is the file ${id}`);
    expect(await text(await turnpike.files.content(id))).toBe(report);
    expect(await text(await turnpike.files.content(id, { start: 5, end: 11 }))).toBe(report.slice(5, 11));

    const png = picture(100_000);
    output = { type: 'image/png', body: png };
    await cluster.control.setScript({ rules });
    const other = await turnpike.turns.submit({ session_id: turn.session_id, input: 'And the picture.' });
    expect(await ended(other)).toMatchObject({ status: 'completed' });
    const [kept] = (await turnpike.files.list({ session_id: turn.session_id }).page()).items;
    expect(kept).toMatchObject({ media_type: 'image/png', bytes: png.length, width: 4 });
    expect((await buffer(await turnpike.files.content(kept?.id ?? ''))).equals(png)).toBe(true);

    await turnpike.sessions.delete(turn.session_id);
    await expect(turnpike.files.get(id)).rejects.toMatchObject({ code: 'not_found' });
    await untilTrue('their bytes are erased', async () => {
      const { rows } = await cluster.database.pool.query(
        'SELECT 1 FROM file_chunks WHERE file_id = ANY ($1::text[])',
        [[id, kept?.id]],
      );
      return rows.length === 0;
    });
  });
});

const withRedis = process.env['TEST_REDIS_URL'] === undefined ? describe.skip : describe;

withRedis('many megabytes', () => {
  let redis: RedisServer | null;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.start({
      workers: 1,
      ...(redis === null ? {} : { backplaneUrl: redis.url }),
      environment: { RECONCILE_EVERY_MS: '100', EGRESS_ALLOW: '127.0.0.1' },
    });
  });
  afterAll(async () => {
    await cluster.stop();
    await redis?.stop();
  });

  /** The most memory that a process has had, in bytes. */
  const peakOf = (pid: number | undefined): number => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  };

  test('files pass through upload, turn and erasure while API and worker stay small, and their contents are nowhere else', async () => {
    const FILES = byLength({ short: 4, long: 12 });
    /** So that what passes in all grows, and what passes at once does not. */
    const AT_ONCE = 2;
    const BYTES = 17_000_000;
    const MIB = 1024 ** 2;
    const canary = uniqueText('a canary in a file ');
    const received: string[] = [];
    const hook = await serve(async (request, response) => {
      received.push(await text(request));
      response.end();
    });
    const turnpike = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
    await turnpike.webhookEndpoints.create({ url: hook.url });
    const agent = await cluster.createAgent();
    const pdf = new Blob(['%PDF-1.7\n', new Uint8Array(Buffer.alloc(BYTES, `${canary}\n`))], {
      type: 'application/pdf',
    });
    const useFile = async (content: Blob): Promise<{ fileId: string; turn: Turn }> => {
      const { id: fileId } = await turnpike.files.upload({ content, filename: 'a.pdf' });
      const source = { type: 'file' as const, file_id: fileId };
      const turn = await turnpike.turns.submit({ agent_id: agent.id, input: [{ type: 'document', source }] });
      return { fileId, turn: await cluster.untilEnded(turn.id) };
    };
    const [worker] = cluster.workers;
    const pids = [cluster.api?.process.pid, worker?.process.pid];
    // What they need once, whatever passes.
    for (let warm = 0; warm < 3; warm += 1)
      await Promise.all(
        Array.from({ length: AT_ONCE }, () => useFile(pdf.slice(0, 2_000_000, 'application/pdf'))),
      );
    const before = pids.map(peakOf);

    const used: Awaited<ReturnType<typeof useFile>>[] = [];
    while (used.length < FILES)
      used.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => useFile(pdf)))));
    expect(used.map(({ turn }) => turn.status)).toEqual(used.map(() => 'completed'));
    const events = await Promise.all(
      used.map(({ turn }) =>
        cluster.request('GET', `/v1/turns/${turn.id}/events?limit=100`, undefined, {
          accept: 'application/json',
        }),
      ),
    );
    const grown = pids.map((pid, index) => Math.round((peakOf(pid) - (before[index] ?? 0)) / MIB));
    process.stderr.write(
      `${Math.round((FILES * BYTES) / 1e6)} MB of files: the API grew by ${grown[0]} MiB, the worker by ${grown[1]} MiB\n`,
    );
    // Two files as they are sent are 44 MiB, and more than 130 MiB with the copies of a body that is no stream.
    expect(Math.max(...grown)).toBeLessThan(120);

    await untilTrue('the webhooks are there', () => Promise.resolve(received.length >= FILES));
    const canaries = [canaryOf('content', canary)];
    const sources = {
      Postgres: await readPostgres(cluster.database, ['public.file_chunks']),
      Redis: redis === null ? '' : await readRedis(redis.url),
      logs: [cluster.api, ...cluster.workers].flatMap((program) => program?.lines ?? []).join('\n'),
      events: JSON.stringify(events.map(({ body }) => body)),
      webhooks: received.join('\n'),
    };
    for (const [name, content] of Object.entries(sources)) {
      // A file's id is there, so the scan is not blind.
      expect([name, scan(name, content, canaries)]).toEqual([name, []]);
      expect([name, content.length > 100]).toEqual([name, true]);
    }
    const { rows: stored } = await cluster.database.pool.query(
      `SELECT position($1::bytea IN data) > 0 AS found FROM file_chunks WHERE file_id = $2 AND index = 1`,
      [Buffer.from(canary), used[0]?.fileId],
    );
    expect(stored).toEqual([{ found: true }]);

    await Promise.all(used.map(({ turn }) => turnpike.sessions.delete(turn.session_id)));
    await untilTrue('the bytes are erased', async () => {
      const { rows } = await cluster.database.pool.query(
        'SELECT 1 FROM file_chunks WHERE file_id = ANY ($1::text[]) LIMIT 1',
        [used.map(({ fileId }) => fileId)],
      );
      return rows.length === 0;
    });
    hook.server.close();
    hook.server.closeAllConnections();
  }, 300_000);

  test('an API that is killed in the midst of an upload leaves nothing, and what it reserved is free again', async () => {
    const { database } = cluster;
    const tenantId = await createTenant(database, 'Uploads');
    const { key: apiKey } = await createApiKey(database.pool, { tenantId, name: 'test', scopes: ['admin'] });
    await changeLimits(database.pool, tenantId, { max_files: 1 });
    const { port, hostname } = new URL(cluster.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    socket.write(
      `POST /v1/files HTTP/1.1\r\nhost: a.example\r\nauthorization: Bearer ${apiKey}\r\n` +
        'content-type: multipart/form-data; boundary=x\r\ncontent-length: 40000000\r\n\r\n' +
        '--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\ncontent-type: text/plain\r\n\r\n' +
        'z'.repeat(2_000_000),
    );
    let fileId = '';
    /** Rows of the file, of its bytes, and of what is still to be erased. */
    const left = async (): Promise<number[]> => {
      const { rows } = await database.pool.query<{ counts: number[] }>(
        `SELECT ARRAY[(SELECT count(*) FROM files WHERE id = $1), (SELECT count(*) FROM file_chunks WHERE file_id = $1),
                      (SELECT count(*) FROM erased_files WHERE key = $1)]::int[] AS counts`,
        [fileId],
      );
      return rows[0]?.counts ?? [];
    };
    await untilTrue('some of it is stored', async () => {
      const { rows } = await database.pool.query<{ id: string }>(
        'SELECT id FROM files WHERE tenant_id = $1',
        [tenantId],
      );
      fileId = rows[0]?.id ?? '';
      return ((await left())[1] ?? 0) > 3;
    });
    await cluster.api?.end('SIGKILL');
    socket.destroy();
    await cluster.startApi();
    const turnpike = new Turnpike({ baseUrl: cluster.url, apiKey });
    const add = () =>
      turnpike.files.upload({ content: 'A word.', filename: 'b.txt', media_type: 'text/plain' });
    await expect(add()).rejects.toMatchObject({ code: 'file_limit' });
    // Its quarter of an hour is over.
    await database.pool.query('UPDATE files SET upload_until = now() WHERE id = $1', [fileId]);
    await untilTrue('nothing of it is left', async () => (await left()).join() === '0,0,0');
    expect((await add()).status).toBe('ready');
  });
});
