import { OutcomeUnknownError, TurnpikeError } from '@turnpike/contract';
import { errors } from 'undici';
import { EgressUnreachableError } from './errors.ts';

/** Turns what the HTTP client threw before a head came into the error that says what to do. */
export function explainFailure(
  error: unknown,
  facts: { host: string; connected: boolean; expired: boolean },
): TurnpikeError {
  if (error instanceof TurnpikeError) return error;
  const { host } = facts;
  if (facts.connected) return explainLostAnswer(error, host, facts.expired);
  if (facts.expired || error instanceof errors.ConnectTimeoutError) {
    return new EgressUnreachableError('connect_timeout', `${host} could not be reached in time.`, error);
  }
  if (isTlsFailure(error)) {
    return new EgressUnreachableError('tls_failed', `No trusted TLS connection to ${host} was made.`, error);
  }
  return new EgressUnreachableError('connect_failed', `No connection to ${host} was made.`, error);
}

/** What the parser throws before a head; lengths that contradict each other are the last of them. */
const UNREADABLE = [
  errors.HeadersOverflowError,
  errors.HTTPParserError,
  errors.ResponseContentLengthMismatchError,
];

function explainLostAnswer(error: unknown, host: string, expired: boolean): OutcomeUnknownError {
  if (expired || error instanceof errors.HeadersTimeoutError) {
    return new OutcomeUnknownError('answer_timeout', `${host} gave no answer in time.`, error);
  }
  if (UNREADABLE.some((kind) => error instanceof kind)) {
    // The parser's error carries what could not be read, and an answer may repeat the request's secrets.
    const cause = new Error(error instanceof Error ? error.message : 'The parser failed.');
    return new OutcomeUnknownError('answer_invalid', `${host} gave an answer that cannot be read.`, cause);
  }
  return new OutcomeUnknownError(
    'connection_lost',
    `${host} closed the connection without an answer.`,
    error,
  );
}

/** Node names the failure of a handshake or of a certificate in the error's code only. */
function isTlsFailure(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^(ERR_SSL|ERR_TLS|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERROR_IN_CERT|HOSTNAME_MISMATCH)/.test(
    code,
  );
}
