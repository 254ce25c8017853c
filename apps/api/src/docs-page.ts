import { fileURLToPath } from 'node:url';
import express, { type Router } from 'express';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Turnpike API</title>
    <link rel="icon" type="image/png" href="./favicon-32x32.png">
    <link rel="stylesheet" href="./swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="./swagger-ui-bundle.js"></script>
    <script src="./page.js"></script>
  </body>
</html>
`;

const SCRIPT = `SwaggerUIBundle({ url: '../openapi.json', dom_id: '#swagger-ui', deepLinking: true });
`;

const ASSETS = ['favicon-32x32.png', 'swagger-ui.css', 'swagger-ui-bundle.js'];

/** Nothing from another host, and no inline script or style. Icons are in the style sheets. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Swagger UI, which shows this API's document and sends requests to it. */
export function docsPage(): Router {
  const router = express.Router();
  router.get('/', (request, response) => {
    // The files that the page loads.
    if (!request.originalUrl.split('?')[0]?.endsWith('/')) return response.redirect(`${request.baseUrl}/`);
    return response.set('Content-Security-Policy', POLICY).type('html').send(PAGE);
  });
  router.get('/page.js', (_request, response) => {
    response.type('js').send(SCRIPT);
  });
  for (const name of ASSETS) {
    const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
    router.get(`/${name}`, (_request, response) => response.sendFile(path));
  }
  return router;
}
