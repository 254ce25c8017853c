import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Logger } from '@turnpike/telemetry';
import { reportParserErrors } from './report-parser-errors.ts';

/** How long a whole request and its headers may take to arrive, and how often that is looked at. Milliseconds. */
export type RequestTimes = Pick<
  ServerOptions,
  'requestTimeout' | 'headersTimeout' | 'connectionsCheckingInterval'
>;

/** A large body may come over a slow line. */
const TIMES: RequestTimes = { requestTimeout: 300_000, headersTimeout: 20_000 };

/** An HTTP server, not listening yet, whose every answer is the app's, or a problem where no request could be read. */
export function createHttpServer(app: RequestListener, logger: Logger, times: RequestTimes = TIMES): Server {
  const server = createServer(
    // Kept alive longer than by a load balancer, so that it is never the one to be surprised. A request without
    // `Host` is refused by the app, with a problem in place of nothing.
    { keepAliveTimeout: 75_000, requireHostHeader: false, ...times },
    app,
  );
  reportParserErrors(server, logger);
  // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  return server;
}
