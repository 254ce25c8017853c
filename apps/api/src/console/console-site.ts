import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ProblemError } from '@turnpike/contract';
import express, { type Response, type Router } from 'express';

/** What `npm run build` made of `apps/console`. */
const SITE = fileURLToPath(new URL('../../../console/dist/site/', import.meta.url));

/** Nothing from another host, no inline script or style, and no text that becomes markup. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Encodings that the build made besides, best first. */
const ENCODINGS = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
];

/** The files of the console. Every path that is not a file is a screen: the page shows it. */
export function serveSite(): Router {
  const router = express.Router();
  let files: ReadonlySet<string> = new Set();
  router.get(['/console', '/console/*path'], (request, response) => {
    // It may be built while the API runs.
    if (files.size === 0) files = listFiles();
    const path = request.path.slice('/console/'.length);
    const isAsset = path.startsWith('assets/');
    if (isAsset ? !files.has(path) : !files.has('index.html'))
      throw new ProblemError('not_found', 'There is nothing at this path.');
    response.vary('Accept-Encoding');
    response.set('Content-Security-Policy', POLICY);
    // The name of an asset changes with its content.
    response.set('Cache-Control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache');
    sendFile(response, isAsset ? path : 'index.html', files, request.acceptsEncodings());
  });
  return router;
}

function sendFile(
  response: Response,
  path: string,
  files: ReadonlySet<string>,
  accepted: readonly string[],
): void {
  const encoding = ENCODINGS.find(({ name, suffix }) => accepted.includes(name) && files.has(path + suffix));
  if (encoding !== undefined) response.set('Content-Encoding', encoding.name);
  response.type(path.slice(path.lastIndexOf('.')));
  // Without its time, by which a browser would keep the page of a newer version after a return to an older one.
  const options = { root: SITE, cacheControl: false, lastModified: false };
  response.sendFile(path + (encoding?.suffix ?? ''), options);
}

/** None where the console was not built. */
function listFiles(): ReadonlySet<string> {
  try {
    return new Set(
      readdirSync(SITE, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll('\\', '/')),
    );
  } catch {
    return new Set();
  }
}
