// Serves the page as `npm run build` made it, and passes its requests on.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPassOn, readSettings } from './pass-on.mjs';

const SITE = process.env.SITE ?? fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
/** The page speaks to its own server alone. */
const POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

const passOn = createPassOn(readSettings(process.env));
const server = createServer((request, response) => {
  if (request.url?.startsWith('/api/')) void passOn(request, response);
  else void serveFile(request, response);
});
server.listen(Number(process.env.PORT ?? 5173), process.env.HOST ?? '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}\n`);
});

async function serveFile(request, response) {
  const { pathname } = new URL(request.url ?? '/', 'http://page');
  const path = join(SITE, normalize(pathname === '/' ? '/index.html' : pathname));
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  const type = TYPES[extname(path)] ?? 'application/octet-stream';
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY });
  createReadStream(path).pipe(response);
}
