import { OutcomeUnknownError, TurnpikeError } from '@turnpike/contract';
import { errors } from 'undici';
import { EgressUnreachableError } from './errors.ts';

/** Converts an error of the HTTP client, thrown before a response head arrived, into one of ours. */
export function explainFailure(
  error: unknown,
  facts: { host: string; connected: boolean; expired: boolean },
): TurnpikeError {
  if (error instanceof TurnpikeError) return error;
  const { host } = facts;
  if (facts.connected) return explainLostResponse(error, host, facts.expired);
  if (facts.expired || error instanceof errors.ConnectTimeoutError) {
    return new EgressUnreachableError('connect_timeout', `${host} could not be reached in time.`, error);
  }
  if (isTlsFailure(error)) {
    return new EgressUnreachableError(
      'tls_failed',
      `No trusted TLS connection to ${host} could be established.`,
      error,
    );
  }
  return new EgressUnreachableError(
    'connect_failed',
    `No connection to ${host} could be established.`,
    error,
  );
}

/** The parser's errors before a head is complete. The last one is thrown for contradictory lengths. */
const PARSER_ERRORS = [
  errors.HeadersOverflowError,
  errors.HTTPParserError,
  errors.ResponseContentLengthMismatchError,
];

function explainLostResponse(error: unknown, host: string, expired: boolean): OutcomeUnknownError {
  if (expired || error instanceof errors.HeadersTimeoutError) {
    return new OutcomeUnknownError('answer_timeout', `${host} did not respond in time.`, error);
  }
  if (PARSER_ERRORS.some((kind) => error instanceof kind)) {
    // The parser's error contains the invalid bytes, and a response may repeat secrets of the request.
    const cause = new Error(error instanceof Error ? error.message : 'The parser failed.');
    return new OutcomeUnknownError('answer_invalid', `${host} sent an invalid HTTP response.`, cause);
  }
  return new OutcomeUnknownError(
    'connection_lost',
    `${host} closed the connection without a response.`,
    error,
  );
}

/** Node identifies a failed handshake or certificate only by the error's code. */
function isTlsFailure(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^(ERR_SSL|ERR_TLS|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERROR_IN_CERT|HOSTNAME_MISMATCH)/.test(
    code,
  );
}
