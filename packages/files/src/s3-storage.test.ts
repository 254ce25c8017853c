import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { createS3Storage } from './s3-storage.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

type Answer = (request: string, response: ServerResponse) => void;

/** The storage beside an object store that answers so, and the requests that it got: the S3 server of the other tests has no list of uploads, and never fails. */
async function setUp(answer: Answer) {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    request.resume().once('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3.example');
      searchParams.delete('x-id');
      const query = searchParams.toString();
      const line = `${request.method} ${pathname}${query === '' ? '' : `?${query}`}`;
      asked.push(line);
      answer(line, response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const storage = createS3Storage({
    bucket: 'b',
    prefix: 'p/',
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    pathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
  });
  open.push(storage, {
    close: () => {
      server.closeAllConnections();
      return server.close();
    },
  });
  return { storage, asked };
}

const send = (response: ServerResponse, status: number, xml = ''): void =>
  void response.writeHead(status, { 'content-type': 'application/xml', etag: '"e"' }).end(xml);

const never = new AbortController().signal;
const MIB = 1024 * 1024;

async function* zeros(pieces: number): AsyncGenerator<Buffer> {
  for (let piece = 0; piece < pieces; piece += 1) yield Buffer.alloc(MIB);
}

test('what is erased takes the parts of its unfinished uploads along, and those of no other key', async () => {
  const uploads = ['p/file_1', 'p/file_12']
    .map((key) => `<Upload><Key>${key}</Key><UploadId>of-${key.slice(2)}</UploadId></Upload>`)
    .join('');
  const { storage, asked } = await setUp((line, response) =>
    line.startsWith('GET')
      ? send(response, 200, `<ListMultipartUploadsResult>${uploads}</ListMultipartUploadsResult>`)
      : send(response, 204),
  );
  await storage.erase('file_1');
  expect(asked).toEqual([
    'DELETE /b/p/file_1',
    'GET /b/?prefix=p%2Ffile_1&uploads=',
    'DELETE /b/p/file_1?uploadId=of-file_1',
  ]);
});

test.each([
  [403, true],
  [501, true],
  [503, false],
])('a list of uploads that fails with %i is done without: %s', async (status, isDone) => {
  const { storage } = await setUp((line, response) => send(response, line.startsWith('GET') ? status : 204));
  const outcome = await storage.erase('file_1').then(
    () => true,
    () => false,
  );
  expect(outcome).toBe(isDone);
});

test('a store that fails in the midst of an upload is told to drop its parts', async () => {
  const { storage, asked } = await setUp((line, response) => {
    if (line.startsWith('POST'))
      return send(
        response,
        200,
        '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
      );
    send(response, line.includes('partNumber=2') ? 507 : 200);
  });
  await expect(storage.write('file_1', zeros(12), never)).rejects.toThrow();
  expect(asked[0]).toBe('POST /b/p/file_1?uploads=');
  expect(asked.filter((line) => line.startsWith('PUT') && line.includes('partNumber=1'))).toHaveLength(1);
  expect(asked.at(-1)).toBe('DELETE /b/p/file_1?uploadId=u');
});

test('a client that goes away in the midst of an upload ends it, with its parts', async () => {
  const gone = new AbortController();
  const { storage, asked } = await setUp((line, response) => {
    if (line.startsWith('POST'))
      return send(
        response,
        200,
        '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
      );
    if (line.includes('partNumber=1')) gone.abort(new Error('The client has disconnected.'));
    send(response, 200);
  });
  await expect(storage.write('file_1', zeros(30), gone.signal)).rejects.toThrow(
    'The client has disconnected.',
  );
  expect(asked.some((line) => line.includes('partNumber=4'))).toBe(false);
});
