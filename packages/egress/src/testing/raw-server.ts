import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { CERTIFICATE, CERTIFICATE_KEY } from './certificate.ts';

export interface Script {
  /** Called with each new connection. */
  onConnect?: (socket: Socket) => void;
  /** Called once per connection, when a complete request has arrived. */
  onRequest?: (socket: Socket, request: string) => void;
  tls?: boolean;
  host?: string;
  port?: number;
}

export interface RawServer {
  port: number;
  /** Connections so far; with TLS, those that completed the handshake. */
  connections: number;
  /** The bytes received, one string per connection. */
  received: string[];
  /** Resolves when the first connection is closed. */
  firstClosed: Promise<void>;
  close(): Promise<void>;
}

/** For tests: a TCP server that responds as scripted, byte by byte, or not at all. */
export async function startRawServer(script: Script = {}): Promise<RawServer> {
  const sockets = new Set<Socket>();
  let tellClosed = (): void => undefined;
  const firstClosed = new Promise<void>((resolve) => {
    tellClosed = resolve;
  });
  const serve = (socket: Socket): void => {
    const index = raw.received.length;
    let text = '';
    let wasReported = false;
    raw.connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      tellClosed();
    });
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      raw.received[index] = text;
      if (wasReported || !isComplete(text)) return;
      wasReported = true;
      script.onRequest?.(socket, text);
    });
    raw.received[index] = '';
    script.onConnect?.(socket);
  };
  const server =
    script.tls === true
      ? createTlsServer({ cert: CERTIFICATE, key: CERTIFICATE_KEY }, serve)
      : createServer({ noDelay: true }, serve);
  const plain = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    plain.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => plain.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(script.port ?? 0, script.host ?? '127.0.0.1', resolve);
  });
  const raw: RawServer = {
    port: (server.address() as AddressInfo).port,
    connections: 0,
    received: [],
    firstClosed,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of [...sockets, ...plain]) socket.destroy();
      }),
  };
  return raw;
}

function isComplete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? '0';
  return text.length - end - 4 >= Number(length);
}

/** A complete HTTP response. */
export function responseWith(body: string, head = ''): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${head}\r\n${body}`;
}
