import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Logger } from '@turnpike/telemetry';
import { reportParserErrors } from './report-parser-errors.ts';

/** Timeouts for a whole request and for its headers, and how often they are checked. Milliseconds. */
export type RequestTimes = Pick<
  ServerOptions,
  'requestTimeout' | 'headersTimeout' | 'connectionsCheckingInterval'
>;

/** A large body may arrive over a slow connection. */
const TIMES: RequestTimes = { requestTimeout: 300_000, headersTimeout: 20_000 };

/** An HTTP server, not listening yet: it responds as the app does, or with a problem where a request cannot be parsed. */
export function createHttpServer(app: RequestListener, logger: Logger, times: RequestTimes = TIMES): Server {
  const server = createServer(
    // Longer than a load balancer keeps it alive, so that it never sends to a connection that closes here. A request
    // without `Host` is refused by the app, with a problem as its body.
    { keepAliveTimeout: 75_000, requireHostHeader: false, ...times },
    app,
  );
  reportParserErrors(server, logger);
  // An unknown expectation may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  return server;
}
