import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { readServerEnvironment } from '../config.ts';
import { freePort } from './free-port.ts';
import { keepServer } from './keep-server.ts';
import { notifyParent } from './notify-parent.ts';

const TRY_AGAIN_MS = 20;

const argumentSchema = z.object({ executable: z.string(), runFile: z.string() });
export type RedisArgument = z.infer<typeof argumentSchema>;

const { executable, runFile } = argumentSchema.parse(JSON.parse(process.argv[2] ?? ''));
const port = await freePort();
const password = randomBytes(24).toString('base64url');

const server = spawn(executable, ['-'], {
  env: readServerEnvironment(),
  stdio: ['pipe', 'inherit', 'inherit'],
});
// Its settings go through standard input: every user of the machine can read a command line.
server.stdin.end(
  [
    `port ${port}`,
    'bind 127.0.0.1',
    `requirepass ${password}`,
    'save ""',
    'appendonly no',
    'maxmemory-policy noeviction',
    '',
  ].join('\n'),
);
// Where it exits at once, `keepServer` reports it.
server.stdin.on('error', () => undefined);
keepServer(server, { stopSignal: 'SIGTERM', killSignal: 'SIGKILL', runFile });
while (!(await isListening(port))) await delay(TRY_AGAIN_MS);
notifyParent({ url: `redis://:${password}@127.0.0.1:${port}`, serverPid: server.pid });

async function isListening(where: number): Promise<boolean> {
  const socket = connect(where, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
