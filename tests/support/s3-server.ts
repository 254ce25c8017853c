import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** A real S3 server, with a bucket. */
export interface S3Server {
  settings: {
    bucket: string;
    prefix: string;
    region: string;
    endpoint: string;
    pathStyle: boolean;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
  /** Keys of all objects, without the prefix. */
  keys(): string[];
  countObjects(): Promise<number>;
  hasObject(key: string): Promise<boolean>;
  stop(): Promise<void>;
}

const BUCKET = 'files';
const PREFIX = 'turnpike/';
const PROGRAM = fileURLToPath(new URL('./serve-s3.mjs', import.meta.url));

export async function startS3(): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), 'turnpike-s3-'));
  // A process of its own: it loads libraries in a way that Jest does not know.
  const server = fork(PROGRAM, [directory, BUCKET], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [message]: unknown[] = await once(server, 'message');
  const { port } = z.object({ port: z.int() }).parse(message);
  const keys = (): string[] =>
    readdirSync(join(directory, BUCKET), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('._S3rver_object'))
      .map((name) => name.slice(PREFIX.length, -'._S3rver_object'.length));
  return {
    settings: {
      bucket: BUCKET,
      prefix: PREFIX,
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${port}`,
      pathStyle: true,
      // Those that this server knows.
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    },
    keys,
    countObjects: () => Promise.resolve(keys().filter((key) => !key.startsWith('uploads/')).length),
    hasObject: (key) => Promise.resolve(keys().includes(key)),
    async stop() {
      server.kill('SIGKILL');
      await once(server, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
