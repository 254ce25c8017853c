import { Agent, request, type Dispatcher } from 'undici';

export interface UpstreamFetchSettings {
  /** Milliseconds without a byte, before the head and between any two pieces of the body. */
  idleTimeoutMs: number;
  /** Milliseconds for TCP and TLS. Default 10 s. */
  connectTimeoutMs?: number;
  /** Bytes of one answer; a longer one is an error. Default 64 MiB. */
  maxResponseBytes?: number;
  /** Certificates (PEM) that are trusted, instead of those that Node brings. */
  ca?: string;
}

export interface UpstreamFetch {
  fetch: typeof globalThis.fetch;
  /** Ends what is under way and closes the kept connections. */
  close(): Promise<void>;
}

/**
 * A `fetch` for URLs that the *operator* chose, such as the model API: no address guard, connections
 * kept alive, as many at once as there are requests (a worker's concurrency is the bound).
 * A redirect is an answer, not followed: headers with keys must not travel to another origin.
 */
export function createUpstreamFetch(settings: UpstreamFetchSettings): UpstreamFetch {
  const agent = new Agent({
    connect: {
      timeout: settings.connectTimeoutMs ?? 10_000,
      rejectUnauthorized: true,
      ...(settings.ca === undefined ? {} : { ca: settings.ca }),
    },
    headersTimeout: settings.idleTimeoutMs,
    bodyTimeout: settings.idleTimeoutMs,
    maxResponseSize: settings.maxResponseBytes ?? 64 * 1024 * 1024,
  });
  return {
    fetch: async (input, init) => asResponse(await send(agent, input, init)),
    close: () => agent.destroy(),
  };
}

/** Undici's `request`, since its `fetch` brings each piece of a stream through queues of its own: a third of the cost. */
async function send(
  agent: Agent,
  input: string | URL | Request,
  { method = 'GET', headers, body, signal }: RequestInit = {},
): Promise<Dispatcher.ResponseData> {
  if (input instanceof Request || (body !== undefined && body !== null && typeof body !== 'string')) {
    throw new TypeError('Only a URL can be asked, and only a text can be sent.');
  }
  const answer = await request(input, {
    dispatcher: agent,
    method,
    headers: { ...Object.fromEntries(new Headers(headers)), 'accept-encoding': 'identity' },
    body: body ?? null,
    signal: signal ?? undefined,
  }).catch((cause: unknown) => {
    throw signal?.aborted === true ? signal.reason : new TypeError('The request failed.', { cause });
  });
  const encoding = answer.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    answer.body.destroy();
    throw new TypeError('The answer is encoded in a way that was not asked for.');
  }
  return answer;
}

/** The answer as `fetch` gives it; only that its `body` is one of Node's streams, whose pieces can be iterated too. */
function asResponse({ statusCode, headers, body }: Dispatcher.ResponseData): Response {
  const pairs = Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, value]),
  );
  return Object.defineProperties(new Response(null, { status: statusCode, headers: pairs }), {
    body: { value: body },
    text: { value: () => body.text() },
    json: { value: () => body.json() },
  });
}
