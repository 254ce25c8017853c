import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy whose connections can be closed, or frozen while they stay open. */
export interface TcpProxy {
  port: number;
  /** Connections made through it so far. */
  readonly connections: number;
  /**
   * From now on the open connections pass nothing on, in either direction, and stay open (half-open). `from`: only
   * those from this number on, counted from 0. New ones work.
   */
  freeze(from?: number): void;
  /** New connections are accepted, and are frozen too. */
  freezeNew(frozen: boolean): void;
  /** Closes all connections; new ones are accepted. */
  drop(): void;
  /** From now on, new connections go to this port. */
  retarget(port: number): void;
  /** Closes all connections, and refuses new ones until `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  stop(): Promise<void>;
}

interface Pair {
  number: number;
  near: Socket;
  far: Socket;
  frozen: boolean;
}

/** Listens on a free port of 127.0.0.1 and forwards to `targetPort` there. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let connections = 0;
  let newFrozen = false;

  let target = targetPort;
  const accept = (near: Socket): void => {
    const far = connect(target, '127.0.0.1');
    const pair: Pair = { number: connections++, near, far, frozen: newFrozen };
    pairs.add(pair);
    join(pair, near, far);
    join(pair, far, near);
  };
  const join = (pair: Pair, from: Socket, to: Socket): void => {
    from.on('data', (bytes) => {
      if (!pair.frozen) to.write(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      if (!pair.frozen) to.destroy();
      if (pair.near.destroyed) pairs.delete(pair);
    });
  };
  const drop = (): void => {
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  const end = async (server: Server): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    drop();
    await closed;
  };
  const listen = async (port: number): Promise<Server> => {
    const server = createServer(accept).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };

  let server = await listen(0);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  const { port } = address;
  return {
    port,
    get connections() {
      return connections;
    },
    freeze(from = 0) {
      for (const pair of pairs) if (pair.number >= from) pair.frozen = true;
    },
    freezeNew(frozen) {
      newFrozen = frozen;
    },
    drop,
    retarget(port_) {
      target = port_;
    },
    cut: () => end(server),
    async restore() {
      server = await listen(port);
    },
    async stop() {
      if (server.listening) await end(server);
    },
  };
}
