import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { newId, ProblemError, PROBLEMS } from '@turnpike/contract';
import type { Logger } from '@turnpike/telemetry';
import { problemBody } from './problem-body.ts';
import { SECURE_HEADERS } from './secure-responses.ts';

/** By the code of Node's error; every other parser error is `malformed_request`. */
const PARSER_PROBLEMS: Record<string, () => ProblemError> = {
  HPE_HEADER_OVERFLOW: () => new ProblemError('headers_too_large', 'The headers are larger than 16 KiB.'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: () =>
    new ProblemError('body_too_large', 'The extensions of the chunks are larger than 16 KiB.'),
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new ProblemError('request_timeout', 'The request did not arrive completely in time.'),
};

/**
 * Responds to what Node's parser refuses, before there is a request, with a problem (RFC 9457) and a request id, and
 * closes the connection.
 */
export function reportParserErrors(server: Server, logger: Logger): void {
  const underWay = new WeakMap<Duplex, ServerResponse>();
  server.prependListener('request', (request, response) => underWay.set(request.socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = underWay.get(socket);
    // Bytes of a response are sent: another one would be read as part of it.
    const isHalfSent = response !== undefined && response.headersSent && !response.writableFinished;
    if (!socket.writable || error.code === 'ECONNRESET' || isHalfSent) {
      socket.destroy();
      return;
    }
    const problem =
      PARSER_PROBLEMS[error.code ?? '']?.() ??
      new ProblemError('malformed_request', 'The request cannot be read as HTTP/1.1.');
    const requestId = newId('request');
    const { status } = PROBLEMS[problem.code];
    logger.info('Malformed request.', { status, code: error.code, request_id: requestId });
    socket.end(encodeResponse(problem, requestId), () => socket.destroy());
  });
}

function encodeResponse(problem: ProblemError, requestId: string): string {
  const { status } = PROBLEMS[problem.code];
  const body = JSON.stringify(problemBody(problem, requestId));
  const headers = {
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    Date: new Date().toUTCString(),
    'X-Request-Id': requestId,
    ...Object.fromEntries(SECURE_HEADERS),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`;
}
