import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId, type LimitOverrides } from '@turnpike/contract';
import { changeLimits, transaction } from '@turnpike/store';
import { makePng } from '../../../tests/support/pictures.ts';
import { startS3, type S3Server } from '../../../tests/support/s3-server.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type Client, type TestApi } from './testing/test-api.ts';
import { upload, type Upload } from './testing/upload.ts';

let api: TestApi;
/** As it is with `s3`: the same routes, another storage. */
let apiOnS3: TestApi;
let s3: S3Server;
beforeAll(async () => {
  s3 = await startS3();
  api = await startTestApi(await createTestDatabase());
  apiOnS3 = await startTestApi(await createTestDatabase(), { files: { s3: s3.settings } });
});
afterAll(async () => {
  await Promise.all([api.stop(), apiOnS3.stop()]);
  await s3.stop();
});

const send = (given: Upload, client: Client = api.client) => upload(api.url, client, given);
const PNG = makePng({ width: 3, height: 2, bytes: 700_000 });

const contentOf = async (of: TestApi, client: Client, id: string, range?: string) => {
  const response = await fetch(`${of.url}/v1/files/${id}/content`, {
    headers: { authorization: `Bearer ${client.apiKey}`, ...(range === undefined ? {} : { range }) },
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
};

async function limited(overrides: LimitOverrides): Promise<Client> {
  const client = await api.addTenant();
  await changeLimits(api.database.pool, client.tenantId, overrides);
  await untilTrue('the limits are known', async () => {
    const { body } = await client.http.get('/v1/limits');
    return Object.entries(overrides).every(([name, value]) => body[name] === value);
  });
  return client;
}

const countRows = async (of: TestApi, table: string): Promise<number> => {
  const { rows } = await of.database.pool.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`);
  return rows[0]?.count ?? -1;
};

describe.each(['postgres', 's3'] as const)('stored in %s', (storage) => {
  const on = (): TestApi => (storage === 'postgres' ? api : apiOnS3);

  test('a file is uploaded, listed, downloaded as a whole and in parts, and deleted with its bytes', async () => {
    const { client, url } = on();
    const made = await upload(url, client, {
      filename: 'Rechnung ä.png',
      mediaType: 'image/png',
      content: PNG,
      fields: { metadata: '{"customer":"c-42"}' },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      object: 'file',
      filename: 'Rechnung ä.png',
      media_type: 'image/png',
      bytes: PNG.length,
      width: 3,
      height: 2,
      status: 'ready',
      upload: null,
      metadata: { customer: 'c-42' },
    });
    const { id } = made.body;
    expect(made.headers.get('location')).toBe(`/v1/files/${id}`);
    const { upload: _none, ...file } = made.body;
    expect((await client.http.get(`/v1/files/${id}`).expect(200)).body).toEqual(file);
    expect((await client.http.get('/v1/files').expect(200)).body.items).toEqual([file]);

    const whole = await contentOf(on(), client, id);
    expect(whole.status).toBe(200);
    expect(whole.bytes.equals(PNG)).toBe(true);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'image/png',
      'content-length': String(PNG.length),
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
      'accept-ranges': 'bytes',
      'content-disposition': expect.stringMatching(/^attachment; filename="/),
    });
    for (const [range, start, end] of [
      ['bytes=0-9', 0, 10],
      ['bytes=262140-262150', 262_140, 262_151],
      ['bytes=699000-', 699_000, PNG.length],
      ['bytes=-5', PNG.length - 5, PNG.length],
      ['bytes=0-99999999', 0, PNG.length],
    ] as const) {
      const part = await contentOf(on(), client, id, range);
      expect([range, part.status, part.headers.get('content-range')]).toEqual([
        range,
        206,
        `bytes ${start}-${end - 1}/${PNG.length}`,
      ]);
      expect(part.bytes.equals(PNG.subarray(start, end))).toBe(true);
    }
    expect((await contentOf(on(), client, id, 'bytes=900000-')).status).toBe(416);
    for (const ignored of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=9-3'])
      expect((await contentOf(on(), client, id, ignored)).status).toBe(200);

    await client.http.delete(`/v1/files/${id}`).expect(204);
    await client.http.get(`/v1/files/${id}`).expect(404);
    expect((await contentOf(on(), client, id)).status).toBe(404);
    await untilTrue('its bytes are erased', async () => {
      await on().files.upkeep.pass();
      const left = [await countRows(on(), 'file_chunks'), await countRows(on(), 'erased_files')];
      return [...left, await s3.countObjects()].every((count) => count === 0);
    });
  });

  test('a file is put to an upload URL, and is usable once it is complete', async () => {
    const { client, url } = on();
    const about = { filename: 'a.png', media_type: 'image/png', bytes: PNG.length };
    const made = await client.http.post('/v1/files').set('Idempotency-Key', 'by-url').send(about).expect(201);
    const { id, status, upload: target } = made.body;
    expect([status, target.method]).toEqual(['uploading', 'PUT']);
    expect(target.url.startsWith('http')).toBe(storage === 's3');
    // The URL is a secret: neither the record of the request nor the file has it.
    const replay = await client.http
      .post('/v1/files')
      .set('Idempotency-Key', 'by-url')
      .send(about)
      .expect(201);
    expect([replay.body.id, replay.body.upload]).toEqual([id, null]);
    const token = target.url.split('/').at(-1);
    expect(JSON.stringify(await on().readAllRows())).not.toContain(token);

    const complete = () => client.http.post(`/v1/files/${id}/complete`);
    expect((await complete().expect(409)).body.code).toBe('upload_incomplete');
    expect((await contentOf(on(), client, id)).status).toBe(409);
    const put = () =>
      fetch(new URL(target.url, url), { method: 'PUT', headers: target.headers, body: new Uint8Array(PNG) });
    expect((await put()).status).toBe(200);
    // Whoever asks at the same time is told the same, or that it is being done.
    const [ready, other] = (await Promise.all([complete(), complete()])).toSorted(
      (one, next) => one.status - next.status,
    );
    if (ready === undefined || other === undefined) throw new Error('Two were asked for.');
    expect(ready.status).toBe(200);
    if (storage === 'postgres') expect(other.body).toEqual(ready.body);
    expect(ready.body).toMatchObject({
      id,
      status: 'ready',
      bytes: PNG.length,
      width: 3,
      sha256: expect.anything(),
    });
    expect((await complete().expect(200)).body).toEqual(ready.body);
    // What the URL is sent now changes nothing.
    await fetch(new URL(target.url, url), {
      method: 'PUT',
      headers: target.headers,
      body: new Uint8Array(PNG.length),
    });
    expect((await contentOf(on(), client, id)).bytes.equals(PNG)).toBe(true);
    if (storage === 'postgres') expect((await put()).status).toBe(404);
  });

  test.each([7, 3_000_000])('an upload URL for 5 bytes that is sent %i takes none of them', async (bytes) => {
    const { client, url } = on();
    const about = { filename: 'a.txt', media_type: 'text/plain', bytes: 5 };
    const { id, upload: target } = (await client.http.post('/v1/files').send(about).expect(201)).body;
    const put = await fetch(new URL(target.url, url), {
      method: 'PUT',
      headers: target.headers,
      body: new Uint8Array(bytes),
    });
    if (storage === 'postgres') {
      expect([put.status, await put.json()]).toEqual([
        413,
        expect.objectContaining({ code: 'file_too_large' }),
      ]);
      await client.http.get(`/v1/files/${id}`).expect(404);
      return;
    }
    // This S3 server does not hold a sender to the length that was signed.
    expect((await client.http.post(`/v1/files/${id}/complete`)).body.code).toBe('upload_incomplete');
  });

  test('what is put to an upload URL and is of another type is deleted when it is completed', async () => {
    const { client, url } = on();
    const content = Buffer.from('<html>'.repeat(20));
    const about = { filename: 'a.png', media_type: 'image/png', bytes: content.length };
    const { id, upload: target } = (await client.http.post('/v1/files').send(about).expect(201)).body;
    await fetch(new URL(target.url, url), {
      method: 'PUT',
      headers: target.headers,
      body: new Uint8Array(content),
    });
    const refused = await client.http.post(`/v1/files/${id}/complete`);
    expect([refused.status, refused.body.code]).toEqual([422, 'file_type_mismatch']);
    await client.http.get(`/v1/files/${id}`).expect(404);
  });

  test('an upload whose client disappears leaves nothing', async () => {
    const { client, url } = on();
    const before = (await client.http.get('/v1/files').expect(200)).body.items.length;
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    const body =
      '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n';
    socket.write(
      `POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${client.apiKey}\r\n` +
        `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 30000000\r\n\r\n${body}`,
    );
    socket.write('y'.repeat(1_000_000));
    await untilTrue('it has begun', async () => {
      const { items } = (await client.http.get('/v1/files').expect(200)).body;
      return items.length === before + 1;
    });
    socket.destroy();
    await untilTrue('it is gone', async () => {
      const { items } = (await client.http.get('/v1/files').expect(200)).body;
      return items.length === before;
    });
  });

  test('what a killed process left is found and erased', async () => {
    const { database, files, client } = on();
    const id = newId('file');
    const { body: limits } = await client.http.get('/v1/limits');
    const request = {
      id,
      tenantId: client.tenantId,
      sessionId: null,
      turnId: null,
      shared: false,
      filename: 'a.txt',
      mediaType: 'text/plain' as const,
      bytes: 600_000,
      metadata: {},
      keptSeconds: null,
    };
    const stored = await transaction(database.pool, (sql) => files.reserve(sql, request, limits));
    await files.receive(stored, piecesOf('z'.repeat(600_000)), new AbortController().signal);
    // Here it died: nobody completes it.
    await database.pool.query(`UPDATE files SET upload_until = now() - interval '1 second' WHERE id = $1`, [
      id,
    ]);
    await expect(files.complete(database.pool, client.tenantId, id)).rejects.toMatchObject({
      code: 'upload_incomplete',
    });
    await files.upkeep.pass();
    expect((await client.http.get(`/v1/files/${id}`)).status).toBe(404);
    const { rows } = await database.pool.query('SELECT 1 FROM file_chunks WHERE file_id = $1', [id]);
    expect(rows).toEqual([]);
    expect(await s3.hasObject(id)).toBe(false);
  });
});

test('bytes that an object store gets after their time are erased, though nothing is left of their file', async () => {
  const { database, files, client } = apiOnS3;
  const { body: limits } = await client.http.get('/v1/limits');
  const request = {
    id: newId('file'),
    tenantId: client.tenantId,
    sessionId: null,
    turnId: null,
    shared: false,
    filename: 'late.txt',
    mediaType: 'text/plain' as const,
    bytes: 600_000,
    metadata: {},
    keptSeconds: null,
  };
  const stored = await transaction(database.pool, (sql) => files.reserve(sql, request, limits));
  const late = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.alloc(300_000, 'z');
    await database.pool.query(`UPDATE files SET upload_until = now() WHERE id = $1`, [request.id]);
    await files.upkeep.pass();
    const { rows } = await database.pool.query('SELECT 1 FROM erased_files WHERE key = $1', [request.id]);
    expect(rows).toEqual([]);
    yield Buffer.alloc(300_000, 'z');
  };
  const { signal } = new AbortController();
  await expect(files.receive(stored, late(), signal)).rejects.toMatchObject({ code: 'upload_incomplete' });
  await files.upkeep.pass();
  expect(await s3.hasObject(request.id)).toBe(false);
});

async function* piecesOf(content: string): AsyncGenerator<Buffer> {
  yield Buffer.from(content);
}

test('a form with an idempotency key has one file, whatever is sent again', async () => {
  const headers = { 'idempotency-key': 'form' };
  const first = await send({ content: 'once', filename: 'form.txt', headers });
  const again = await send({ content: 'once', filename: 'form.txt', headers });
  expect([again.status, again.body.id, again.headers.get('idempotent-replayed')]).toEqual([
    201,
    first.body.id,
    'true',
  ]);
  const other = await send({ content: 'twice', filename: 'form.txt', headers });
  expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  await untilTrue('the others are gone', async () => {
    const { items } = (await api.client.http.get('/v1/files?limit=100').expect(200)).body;
    return items.filter((file: { filename: string }) => file.filename === 'form.txt').length === 1;
  });
});

test('the content must be of the declared type, and the type one of the list', async () => {
  const pdf = Buffer.from('%PDF-1.7\n%...');
  const cases: [string, Buffer | string, number][] = [
    ['image/png', PNG, 201],
    ['image/jpeg', PNG, 422],
    ['application/pdf', PNG, 422],
    ['application/pdf', pdf, 201],
    ['text/plain', pdf, 422],
    ['text/plain', 'plain ü', 201],
    ['text/markdown', '# Title', 201],
    ['text/html', '<html></html>', 201],
    ['application/json', '{}', 201],
    ['text/plain', Buffer.from([0x66, 0xff, 0x66]), 422],
    ['text/plain', Buffer.from('a\0b'), 422],
    ['text/plain', Buffer.from('ü').subarray(0, 1), 422],
    ['image/png', 'no picture', 422],
    ['application/zip', Buffer.from('PK\x03\x04'), 400],
    ['image/svg+xml', '<svg/>', 400],
    ['text/plain', '', 400],
  ];
  for (const [mediaType, content, status] of cases) {
    const made = await send({ mediaType, content });
    expect([mediaType, String(content).slice(0, 12), made.status]).toEqual([
      mediaType,
      String(content).slice(0, 12),
      status,
    ]);
  }
});

test('a form that is no form, or has too much, is refused and its file not kept', async () => {
  const raw = (body: string, type = 'multipart/form-data; boundary=x') =>
    fetch(`${api.url}/v1/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.client.apiKey}`, 'content-type': type },
      body,
    });
  const part = (head: string, content: string): string =>
    `--x\r\nContent-Disposition: form-data; ${head}\r\nContent-Type: text/plain\r\n\r\n${content}\r\n`;
  const file = part('name="file"; filename="refused.txt"', 'Hello');
  for (const body of [
    '',
    'nothing',
    '--x--\r\n',
    file,
    `${file}${file}--x--\r\n`,
    `${part('name="other"; filename="a.txt"', 'Hello')}--x--\r\n`,
    `${part('name="unknown"', 'x')}${file}--x--\r\n`,
    `${part('name="shared"', 'maybe')}${file}--x--\r\n`,
    `${part('name="metadata"', '{"a":')}${file}--x--\r\n`,
    `${file}${part('name="shared"', 'true')}--x--\r\n`,
    `${part('name="file"; filename="../a\u0001.txt"', 'x')}--x--\r\n`,
    `${part('name="metadata"', 'x'.repeat(100_000))}${file}--x--\r\n`,
  ]) {
    const refused = await raw(body);
    expect([body.slice(0, 200), refused.status]).toEqual([body.slice(0, 200), 400]);
  }
  expect((await raw('--x--', 'multipart/form-data')).status).toBe(400);
  expect((await raw(`${file}--x--\r\n`, 'text/plain')).status).toBe(415);
  await untilTrue('nothing is kept', async () => {
    const { items } = (await api.client.http.get('/v1/files?limit=100')).body;
    return items.every((kept: { filename: string }) => kept.filename !== 'refused.txt');
  });
});

test('a range of another file is not sent, and who asks for the head alone has nothing read', async () => {
  const { id, sha256 } = (await send({ content: '0123456789' })).body;
  const ask = async (headers: Record<string, string>, method = 'GET') => {
    const response = await fetch(`${api.url}/v1/files/${id}/content`, {
      method,
      headers: { authorization: `Bearer ${api.client.apiKey}`, ...headers },
    });
    return [response.status, response.headers.get('content-length'), await response.text()];
  };
  const range = 'bytes=2-4';
  expect(await ask({ range, 'if-range': `"${sha256}"` })).toEqual([206, '3', '234']);
  expect(await ask({ range, 'if-range': '"another"' })).toEqual([200, '10', '0123456789']);
  await api.database.pool.query('DELETE FROM file_chunks WHERE file_id = $1', [id]);
  expect(await ask({}, 'HEAD')).toEqual([200, '10', '']);
});

test('of two uploads at once, no more is kept than the quota holds', async () => {
  const client = await limited({ max_files_bytes: 50_000 });
  const content = 'q'.repeat(30_000);
  const both = await Promise.all(Array.from({ length: 6 }, () => send({ content }, client)));
  expect(both.map(({ status }) => String(status)).toSorted()).toEqual([
    '201',
    ...Array.from({ length: 5 }, () => '409'),
  ]);
  expect(both.find(({ status }) => status === 409)?.body.code).toBe('file_storage_full');
  const id = both.find(({ status }) => status === 201)?.body.id ?? '';
  const url = { filename: 'a.txt', media_type: 'text/plain', bytes: 30_000 };
  expect((await client.http.post('/v1/files').send(url)).body.code).toBe('file_storage_full');
  await client.http.delete(`/v1/files/${id}`).expect(204);
  expect((await send({ content }, client)).status).toBe(201);

  const few = await limited({ max_files: 2 });
  const all = await Promise.all(Array.from({ length: 5 }, () => send({ content: 'x' }, few)));
  expect(all.filter(({ status }) => status === 201)).toHaveLength(2);
  expect(all.find(({ status }) => status === 409)?.body.code).toBe('file_limit');

  const small = await limited({ max_file_bytes: 1_000 });
  expect((await send({ content: 'x'.repeat(1_000) }, small)).status).toBe(201);
  expect((await send({ content: 'x'.repeat(1_001) }, small)).body.code).toBe('file_too_large');
  expect((await send({ content: 'x'.repeat(900_000) }, small)).body.code).toBe('file_too_large');
});

test("another tenant's file cannot be read, completed, deleted or used in a turn", async () => {
  const other = await api.addTenant();
  const { id } = (await send({ content: 'mine' })).body;
  await other.http.get(`/v1/files/${id}`).expect(404);
  expect((await contentOf(api, other, id)).status).toBe(404);
  await other.http.post(`/v1/files/${id}/complete`).expect(404);
  await other.http.delete(`/v1/files/${id}`).expect(404);
  const agent = (await other.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body;
  const turn = { agent_id: agent.id, input: [documentOf(id)] };
  const refused = await other.http.post('/v1/turns').send(turn).expect(404);
  expect(refused.body.code).toBe('not_found');
  const nowhere = await other.http.post('/v1/turns').send({ ...turn, input: [documentOf(newId('file'))] });
  expect(nowhere.status).toBe(404);
  expect((await contentOf(api, api.client, id)).bytes.toString()).toBe('mine');
});

const documentOf = (id: string) => ({ type: 'document', source: { type: 'file', file_id: id } });
const imageOf = (id: string) => ({ type: 'image', source: { type: 'file', file_id: id } });

test('a turn keeps a reference to its files, and they are erased with its session unless they are shared', async () => {
  const { http } = api.client;
  const agent = (await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body;
  const picture = (await send({ mediaType: 'image/png', content: PNG })).body;
  const shared = (await send({ content: 'A handbook.', fields: { shared: 'true' } })).body;
  const input = [
    imageOf(picture.id),
    { ...documentOf(shared.id), title: 'Handbook' },
    { type: 'text', text: 'See?' },
  ];
  const turn = (await http.post('/v1/turns').send({ agent_id: agent.id, input }).expect(202)).body;
  const path = `/v1/sessions/${turn.session_id}`;
  const [message] = (await http.get(`${path}/messages`).expect(200)).body.items;
  expect(message.content).toEqual([
    {
      type: 'image',
      source: {
        type: 'file',
        file_id: picture.id,
        media_type: 'image/png',
        bytes: PNG.length,
        width: 3,
        height: 2,
      },
    },
    {
      type: 'document',
      title: 'Handbook',
      source: { type: 'file', file_id: shared.id, media_type: 'text/plain', bytes: 11 },
    },
    { type: 'text', text: 'See?' },
  ]);
  const sessionOf = async (id: string) => (await http.get(`/v1/files/${id}`).expect(200)).body.session_id;
  expect([await sessionOf(picture.id), await sessionOf(shared.id)]).toEqual([turn.session_id, null]);
  const listed = await http.get(`/v1/files?session_id=${turn.session_id}`).expect(200);
  expect(listed.body.items.map(({ id }: { id: string }) => id)).toEqual([picture.id]);
  await http.delete(path).expect(204);
  await http.get(`/v1/files/${picture.id}`).expect(404);
  await http.get(`/v1/files/${shared.id}`).expect(200);
  await api.files.upkeep.pass();
  const { rows } = await api.database.pool.query('SELECT 1 FROM file_chunks WHERE file_id = $1', [
    picture.id,
  ]);
  expect(rows).toEqual([]);
});

test('a file that its block cannot be, or that is not ready, is refused with the turn', async () => {
  const { http } = api.client;
  const agent = (await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body;
  const start = (block: object) => http.post('/v1/turns').send({ agent_id: agent.id, input: [block] });
  const words = (await send({ content: 'Words.' })).body;
  const wide = (await send({ mediaType: 'image/png', content: makePng({ width: 8_001, height: 1 }) })).body;
  const picture = (await send({ mediaType: 'image/png', content: PNG })).body;
  const waiting = (
    await http
      .post('/v1/files')
      .send({ filename: 'a.pdf', media_type: 'application/pdf', bytes: 9 })
      .expect(201)
  ).body;
  const before = (await http.get('/v1/turns?limit=100')).body.items.length;
  for (const [block, status, code] of [
    [imageOf(words.id), 400, 'invalid_request'],
    [documentOf(picture.id), 400, 'invalid_request'],
    [imageOf(wide.id), 400, 'invalid_request'],
    [documentOf(waiting.id), 409, 'file_not_ready'],
    [imageOf('file_no'), 400, 'invalid_request'],
    [{ type: 'image', source: { type: 'file', file_id: picture.id, bytes: 1 } }, 400, 'invalid_request'],
  ] as const) {
    const refused = await start(block);
    expect([JSON.stringify(block), refused.status, refused.body.code]).toEqual([
      JSON.stringify(block),
      status,
      code,
    ]);
  }
  const { errors } = (await start(imageOf(words.id))).body;
  expect(errors).toEqual([
    { path: 'input.0.source.file_id', message: expect.stringContaining('text/plain') },
  ]);
  expect((await http.get('/v1/turns?limit=100')).body.items).toHaveLength(before);
});

test('a file expires: it is gone at once, and its bytes with the next pass', async () => {
  const made = (await send({ content: 'Soon gone.', fields: { expires_in_seconds: '60' } })).body;
  expect(Date.parse(made.expires_at ?? '') - Date.parse(made.created_at)).toBe(60_000);
  await api.database.pool.query(`UPDATE files SET expires_at = now() WHERE id = $1`, [made.id]);
  await api.client.http.get(`/v1/files/${made.id}`).expect(404);
  await api.files.upkeep.pass();
  const { rows } = await api.database.pool.query('SELECT 1 FROM file_chunks WHERE file_id = $1', [made.id]);
  expect(rows).toEqual([]);
});

test('a file is usable once the scan has accepted it, and never where it refused', async () => {
  let isAway = true;
  const asked: { headers: IncomingMessage['headers']; body: string }[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    asked.push({ headers: request.headers, body });
    const accepted = !body.includes('EICAR');
    if (isAway) response.writeHead(503).end();
    else response.end(JSON.stringify({ accepted, ...(accepted ? {} : { reason: 'Eicar-Test' }) }));
  };
  const hook = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(hook, 'listening');
  const { port } = hook.address() as { port: number };
  const scanned = await startTestApi(await createTestDatabase(), {
    files: { scan: { url: `http://127.0.0.1:${port}/scan`, timeoutMs: 5_000 } },
  });
  try {
    const { client, url } = scanned;
    const good = (await upload(url, client, { content: 'Harmless.', filename: 'ü.txt' })).body;
    expect(good.status).toBe('pending');
    expect((await contentOf(scanned, client, good.id)).status).toBe(409);
    await untilTrue('the hook was asked', () => Promise.resolve(asked.length > 0));
    expect((await client.http.get(`/v1/files/${good.id}`)).body.status).toBe('pending');
    expect(asked[0]).toMatchObject({
      body: 'Harmless.',
      headers: {
        'content-length': '9',
        'content-type': 'text/plain',
        'x-file-id': good.id,
        'x-filename': '%C3%BC.txt',
      },
    });
    isAway = false;
    const statusOf = async (id: string) => {
      await scanned.database.pool.query(`UPDATE files SET scan_at = now() WHERE status = 'pending'`);
      await scanned.files.upkeep.pass();
      return (await client.http.get(`/v1/files/${id}`)).body;
    };
    await untilTrue('it is ready', async () => (await statusOf(good.id)).status === 'ready');
    expect((await contentOf(scanned, client, good.id)).bytes.toString()).toBe('Harmless.');

    const bad = (await upload(url, client, { content: 'EICAR' })).body;
    await untilTrue('it is refused', async () => (await statusOf(bad.id)).status === 'refused');
    expect((await client.http.get(`/v1/files/${bad.id}`)).body.refusal).toBe('Eicar-Test');
    expect((await client.http.get(`/v1/files/${bad.id}/content`)).body.code).toBe('file_refused');
    const agent = (await client.http.post('/v1/agents').send({ name: 'a', model: 'm' })).body;
    const turn = { agent_id: agent.id, input: [documentOf(bad.id)] };
    expect((await client.http.post('/v1/turns').send(turn)).body.code).toBe('file_refused');
    await scanned.files.upkeep.pass();
    const { rows } = await scanned.database.pool.query('SELECT file_id FROM file_chunks');
    expect(rows.map((row) => row.file_id)).toEqual([good.id]);
  } finally {
    await scanned.stop();
    hook.closeAllConnections();
    hook.close();
  }
});
