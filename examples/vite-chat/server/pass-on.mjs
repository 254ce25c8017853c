// Passes the requests of the page on to Turnpike, and adds the key, which the page never has. What a page may ask for is
// decided here: chats by the ids that pages make, and one agent. Add your own check of who is signed in to `createPassOn`.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
/** Of a chat. Any other id might be that of a session which is no chat of this page. */
const ROUTE = /^\/api\/chat\/([^/?]+)\/(stream|messages|stop)$/;
const METHODS = { stream: 'GET', messages: 'GET', stop: 'POST' };
const MOST_BYTES = 10 * 1024 * 1024;
/** Until the head of a response. A stream then lasts as long as its turn. */
const HEAD_WITHIN_MS = 30_000;
const PASSED_BACK = ['content-type', 'retry-after', 'x-vercel-ai-ui-message-stream'];

/** Throws where one is missing. */
export function readSettings({ TURNPIKE_URL: url, TURNPIKE_KEY: key, AGENT: agent }) {
  if (!url || !key || !agent) throw new Error('Set TURNPIKE_URL, TURNPIKE_KEY and AGENT: see README.md.');
  return { url: url.replace(/\/$/, ''), key, agent };
}

/** Returns a handler of requests of Node's `http`. */
export function createPassOn({ url, key, agent }) {
  return async (request, response) => {
    const asked = await readAsked(request, agent).catch(() => null);
    if (asked === null) {
      refuse(response, 404, 'There is nothing here.');
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const late = setTimeout(() => gone.abort(), HEAD_WITHIN_MS);
    try {
      const answer = await fetch(`${url}${asked.path}`, {
        method: request.method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: asked.body,
        signal: gone.signal,
      });
      clearTimeout(late);
      const kept = PASSED_BACK.flatMap((name) =>
        answer.headers.has(name) ? [[name, answer.headers.get(name)]] : [],
      );
      response.writeHead(answer.status, { 'cache-control': 'no-store', ...Object.fromEntries(kept) });
      response.flushHeaders();
      if (answer.body === null) response.end();
      // Where it breaks, so does the response: the page learns that it does not have the end.
      else await pipeline(Readable.fromWeb(answer.body), response);
    } catch {
      if (response.headersSent) response.destroy();
      else refuse(response, 502, 'Turnpike cannot be reached.');
    } finally {
      clearTimeout(late);
    }
  };
}

/** What Turnpike is asked for a request of the page; null for what a page may not ask for. */
async function readAsked(request, agent) {
  const { method, url = '' } = request;
  const [, id = '', what] = ROUTE.exec(url) ?? [];
  if (what !== undefined)
    return UUID.test(id) && method === METHODS[what] ? { path: `/ai/chat/${id}/${what}` } : null;
  if (url !== '/api/chat' || method !== 'POST') return null;
  const asked = JSON.parse(await readBody(request));
  if (!UUID.test(asked.id)) return null;
  const { messages, trigger, messageId, confirmation } = asked;
  const body = JSON.stringify({ id: asked.id, messages, trigger, messageId, confirmation, agent });
  return { path: '/ai/chat', body };
}

async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error('The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refuse(response, status, detail) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ detail }));
}
