import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

/** What the durable steps of a tool speak to: it counts how often each step was done. */
export class StepServer {
  readonly url: string;
  /** By the step's idempotency key. */
  readonly acts = new Map<string, number>();
  /** Requests that have no response yet. */
  open = 0;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** `delayMs`: how long a response takes. The effect happens before it. */
  static async start(delayMs: number): Promise<StepServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    const steps = new StepServer(server, `http://127.0.0.1:${address.port}`);
    server.on('request', (request, response) => {
      const key = String(request.headers['idempotency-key']);
      steps.acts.set(key, (steps.acts.get(key) ?? 0) + 1);
      steps.open += 1;
      response.once('close', () => (steps.open -= 1));
      setTimeout(() => response.end(`done ${String(key.split(':')[1])}`), delayMs);
    });
    return steps;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
