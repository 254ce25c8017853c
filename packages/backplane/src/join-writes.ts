import type { Writable } from 'node:stream';
import type { Redis } from 'ioredis';

const joined = new WeakSet<Writable>();

/**
 * From now on, what this client sends in one turn of the event loop leaves in one write. Each write is a system call
 * that may wake the server, which costs several times what the command itself does.
 */
export function joinWrites(client: Redis): void {
  // A client has another socket after each reconnect.
  client.on('connect', () => joinWritesTo(client.stream));
  if (client.status === 'connect' || client.status === 'ready') joinWritesTo(client.stream);
}

function joinWritesTo(socket: Writable): void {
  if (joined.has(socket)) return;
  joined.add(socket);
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  const cork = (): void => {
    if (isCorked) return;
    isCorked = true;
    socket.cork();
    // After what has arrived is dealt with, and before the event loop waits again.
    setImmediate(uncork);
  };
  const write = socket.write.bind(socket) as (...values: unknown[]) => boolean;
  Object.defineProperty(socket, 'write', {
    // Node itself replaces it once the other side has closed.
    configurable: true,
    writable: true,
    value: (...values: unknown[]): boolean => {
      cork();
      return write(...values);
    },
  });
}
