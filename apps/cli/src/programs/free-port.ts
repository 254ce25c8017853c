import { once } from 'node:events';
import { createServer } from 'node:net';

/** A free port of the loopback address. */
export async function freePort(): Promise<number> {
  return (await tryPort(0)) ?? 0;
}

/** The port (for 0 a free one), or null where it is in use. Throws where it may not be used. */
export async function tryPort(port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return null;
    throw error;
  } finally {
    server.close();
  }
}
