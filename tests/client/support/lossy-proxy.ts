import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A proxy that loses responses: the request was served, and the client does not learn of it. */
export interface LossyProxy {
  url: string;
  /** Of the next so many answers, all but the first `passBytes` bytes are lost, with their connections. */
  loseResponses(count: number, passBytes?: number): void;
  readonly lost: number;
  stop(): Promise<void>;
}

/** Listens on a free port and passes everything on to this address. */
export async function startLossyProxy(target: string): Promise<LossyProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const sockets = new Set<Socket>();
  let losing = 0;
  let passBytes = 0;
  let lost = 0;
  const server = createServer((near) => {
    const far = connect(Number(targetPort), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        sockets.delete(socket);
      });
    }
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => {
      if (losing === 0) {
        near.write(bytes);
        return;
      }
      losing -= 1;
      lost += 1;
      far.removeAllListeners('data');
      near.end(bytes.subarray(0, passBytes));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    loseResponses(count, pass = 0) {
      losing = count;
      passBytes = pass;
    },
    get lost() {
      return lost;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
