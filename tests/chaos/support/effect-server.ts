import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Effect } from '@turnpike/contract';
import { z } from 'zod';

/** One request of a tool call that arrived here. */
export interface Arrival {
  effect: ToolEffect;
  /** The tool call's id. */
  key: string;
  /** The `[[marker]]` of the turn, as the model gave it. */
  turn: string;
  /** Milliseconds since 1970. */
  at: number;
}

export const TOOL_EFFECTS = ['read', 'idempotent', 'once', 'reconcile'] as const satisfies readonly Effect[];
export type ToolEffect = (typeof TOOL_EFFECTS)[number];

const inputSchema = z.object({ turn: z.string() });

/**
 * A tool of each effect, each at an origin of its own, that counts what it was made to do. An `idempotent` call acts
 * with the first arrival of its key and answers the others alike; `once` and `reconcile` act whenever
 * one arrives, and `GET /outcome?tool_call_id=` says whether one did.
 */
export class EffectServer {
  /** Where each tool is. */
  readonly urls: Readonly<Record<ToolEffect, string>>;
  /** In the order in which they came. */
  readonly arrivals: Arrival[] = [];
  /** How often `/outcome` was asked. */
  asked = 0;
  /** How long a response takes. The effect happens before it. */
  delayMs = 0;
  readonly #servers: readonly Server[];
  readonly #acted: Arrival[] = [];
  readonly #open = new Map<Arrival, () => void>();
  #hanging = new Set<ToolEffect>();

  private constructor(servers: Record<ToolEffect, Server>) {
    this.#servers = Object.values(servers);
    const { read, idempotent, once: onlyOnce, reconcile } = servers;
    this.urls = {
      read: urlOf(read),
      idempotent: urlOf(idempotent),
      once: urlOf(onlyOnce),
      reconcile: urlOf(reconcile),
    };
    for (const effect of TOOL_EFFECTS) {
      servers[effect].on('request', (request, response) => void this.#serve(effect, request, response));
    }
  }

  static async start(): Promise<EffectServer> {
    const [read, idempotent, onlyOnce, reconcile] = await Promise.all([
      listen(),
      listen(),
      listen(),
      listen(),
    ]);
    return new EffectServer({ read, idempotent, once: onlyOnce, reconcile });
  }

  /** Where it says whether a call of `reconcile` happened. */
  get outcomeUrl(): string {
    return `${this.urls.reconcile}/outcome`;
  }

  /** Resolves when all that was sent to this tool before has arrived. */
  async untilArrived(effect: ToolEffect): Promise<void> {
    await fetch(`${this.urls[effect]}/outcome`);
  }

  /** Calls that arrived and have no response yet. */
  open(effect: ToolEffect): Arrival[] {
    return [...this.#open.keys()].filter((arrival) => arrival.effect === effect);
  }

  /** From now on calls of these get no response, until `letGo`. */
  hang(...effects: ToolEffect[]): void {
    this.#hanging = new Set(effects);
  }

  /** What hangs is answered, and nothing hangs from now on. */
  letGo(): void {
    this.#hanging.clear();
    for (const answer of this.#open.values()) answer();
  }

  /** Every time that something was done, for whatever call. */
  acts(effect: Effect, turn?: string): Arrival[] {
    return this.#acted.filter((act) => act.effect === effect && (turn === undefined || act.turn === turn));
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#servers.map(async (server) => {
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  async #serve(effect: ToolEffect, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.urls[effect]);
    if (url.pathname === '/outcome') {
      this.asked += 1;
      sendOutcome(response, this.#findAct('reconcile', url.searchParams.get('tool_call_id')));
      return;
    }
    const key = request.headers['idempotency-key'];
    const input = inputSchema.safeParse(await readJson(request));
    if (typeof key !== 'string' || !input.success) {
      response.writeHead(400).end('This is no call of a tool.');
      return;
    }
    const arrival: Arrival = { effect, key, turn: input.data.turn, at: Date.now() };
    this.arrivals.push(arrival);
    this.#act(arrival);
    response.once('close', () => this.#open.delete(arrival));
    this.#open.set(arrival, () => response.end(textOf(arrival)));
    response.setHeader('content-type', 'text/plain');
    if (this.#hanging.has(effect)) return;
    if (this.delayMs > 0) setTimeout(() => response.end(textOf(arrival)), this.delayMs);
    else response.end(textOf(arrival));
  }

  #act(arrival: Arrival): void {
    if (arrival.effect === 'read') return;
    if (arrival.effect === 'idempotent' && this.#findAct('idempotent', arrival.key)) return;
    this.#acted.push(arrival);
  }

  #findAct(effect: ToolEffect, key: string | null): Arrival | undefined {
    return this.#acted.find((act) => act.effect === effect && act.key === key);
  }
}

async function listen(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return `http://127.0.0.1:${address.port}`;
}

/** What a call says, however it is learnt of. */
function textOf({ effect, turn }: Arrival): string {
  return `${effect} is done for ${turn}`;
}

function sendOutcome(response: ServerResponse, act: Arrival | undefined): void {
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify(
      act === undefined ? { status: 'not_found' } : { status: 'completed', output: textOf(act) },
    ),
  );
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  try {
    const chunks = await request.toArray();
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return null;
  }
}
