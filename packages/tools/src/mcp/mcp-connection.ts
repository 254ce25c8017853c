import {
  Client,
  type DiscoverResult,
  type ElicitRequest,
  type ElicitResult,
  type jsonSchemaValidator,
  type PriorDiscovery,
} from '@modelcontextprotocol/client';
import { TASKS_EXTENSION_ID_V2 } from '@modelcontextprotocol/ext-tasks/core/v2';
import type { ToolSecrets } from '../ports.ts';
import type { WatchedTransport } from './call-watch.ts';
import { createMcpFetch } from './mcp-fetch.ts';
import type { McpSession } from './mcp-session.ts';
import { McpTransport } from './mcp-transport.ts';
import type { OpenedServer } from './open-server.ts';

/** A connection to one server, used for one call at a time: what the server asks belongs to that call. */
export interface McpConnection {
  client: Client;
  transport: WatchedTransport;
  /** It was used before: the server may have ended its session since. */
  reused: boolean;
  /** Its session is needed after the connection. */
  keepsSession: boolean;
  /** Answers a question that the server asks in the middle of a call. Null: it is told that nobody answers. */
  onQuestion: ((request: ElicitRequest) => Promise<ElicitResult>) | null;
  /** The server says that its tools have changed. */
  onToolsChanged: (() => void) | null;
  /** How the server speaks, for the next connection. */
  discovered: PriorDiscovery;
}

interface ConnectOptions {
  signal: AbortSignal;
  timeoutMs: number;
  discovered: PriorDiscovery | null;
  /** The transport goes on with a session that was begun before. */
  resumes?: boolean;
}

const CLIENT = { name: 'turnpike', version: '1.0.0' };
/** Pages of one list. */
const MOST_PAGES = 20;
/** A stream that was cut is resumed where the server can do that. */
const RECONNECTION = {
  maxReconnectionDelay: 2_000,
  initialReconnectionDelay: 100,
  reconnectionDelayGrowFactor: 3,
  maxRetries: 3,
};

/**
 * Outputs are not checked against the schemas that servers declare: to compile the schema of a tenant's server takes
 * time that belongs to other tenants, and the model reads the output as it is.
 */
const ACCEPTS_ALL: jsonSchemaValidator = {
  getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
};

/**
 * Connects, or goes on with the session `resume`. Throws what the client throws; `discovered` is how the server spoke
 * before, null where that is not known.
 */
export async function connect(
  server: OpenedServer,
  tenantId: string,
  { send, secrets }: { send: typeof globalThis.fetch; secrets: ToolSecrets },
  {
    signal,
    timeoutMs,
    discovered,
    resume,
  }: {
    signal: AbortSignal;
    timeoutMs: number;
    discovered: PriorDiscovery | null;
    resume: McpSession | null;
  },
): Promise<McpConnection> {
  const { auth } = server;
  const fetch = createMcpFetch({
    send,
    url: server.url,
    headers: server.headers,
    beforeCall: () => transport.watch?.beforeSend(),
    onRefused: () => transport.watch?.refused(),
    async checkElsewhere(url, method) {
      // A POST carries the credentials, or what proves them.
      if (auth !== null && method !== 'GET')
        await secrets.read(tenantId, auth.secretName, { url, by: 'tool' });
    },
  });
  const transport: McpTransport = new McpTransport(new URL(server.url), {
    fetch,
    reconnectionOptions: RECONNECTION,
    onInsufficientScope: 'throw',
    ...(auth === null ? {} : { authProvider: auth.provider }),
    ...(resume === null ? {} : { sessionId: resume.id, protocolVersion: resume.version }),
  });
  return connectOver(transport, { signal, timeoutMs, discovered, resumes: resume !== null });
}

/** Connects over a transport that was not started. Throws what the client throws. */
export async function connectOver(
  transport: WatchedTransport,
  { signal, timeoutMs, discovered, resumes = false }: ConnectOptions,
): Promise<McpConnection> {
  const client = new Client(CLIENT, {
    capabilities: { elicitation: { form: {} }, extensions: { [TASKS_EXTENSION_ID_V2]: {} } },
    versionNegotiation: { mode: 'auto', probe: { timeoutMs } },
    inputRequired: { autoFulfill: false },
    jsonSchemaValidator: ACCEPTS_ALL,
    listMaxPages: MOST_PAGES,
  });
  const connection: McpConnection = {
    client,
    transport,
    reused: resumes,
    keepsSession: resumes,
    onQuestion: null,
    onToolsChanged: null,
    discovered: { kind: 'legacy' },
  };
  client.setRequestHandler('elicitation/create', async (request) => {
    return connection.onQuestion === null ? { action: 'cancel' } : connection.onQuestion(request);
  });
  client.setNotificationHandler('notifications/tools/list_changed', () => connection.onToolsChanged?.());
  await client.connect(transport, {
    signal,
    timeout: timeoutMs,
    ...(discovered === null ? {} : { prior: discovered }),
  });
  const found: DiscoverResult | undefined = client.getDiscoverResult();
  if (client.getProtocolEra() === 'modern' && found !== undefined) {
    connection.discovered = { kind: 'modern', discover: found };
  }
  return connection;
}

/** The session of a connection; null where its server has none. */
export function sessionOf({ client, transport }: McpConnection): McpSession | null {
  const { sessionId } = transport;
  const version = client.getNegotiatedProtocolVersion();
  return sessionId === undefined || version === undefined ? null : { id: sessionId, version };
}
