import { Router } from 'express';

const ABOUT = {
  name: 'Turnpike',
  description: 'Durable turns for LLM agents: submit, then poll, stream or receive webhooks.',
  docs: '/docs',
  openapi: '/openapi.json',
};

const page = (hasConsole: boolean): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${ABOUT.name}</title>
<h1>${ABOUT.name}</h1>
<p>${ABOUT.description}</p>
<p><a href="docs">The API, to read and to try</a> (<a href="openapi.json">OpenAPI</a>)</p>
${hasConsole ? '<p><a href="console">The console</a></p>\n' : ''}</html>
`;

/** The root: what this service is, and where it is documented. */
export function welcome({ console: hasConsole }: { console: boolean }): Router {
  const router = Router();
  router.get('/', (request, response) => {
    if (request.accepts(['json', 'html']) === 'html') response.type('html').send(page(hasConsole));
    else response.json(hasConsole ? { ...ABOUT, console: '/console' } : ABOUT);
  });
  return router;
}
