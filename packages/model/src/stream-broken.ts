import { RetryableError } from '@turnpike/contract';

/** The stream ended before `message_stop`. */
export function streamCut(): RetryableError {
  return new RetryableError('model_stream_cut', 'The answer was cut off before its end.');
}

/** The stream says something that no message is made of. The reason never quotes it. */
export function streamMalformed(reason: string): RetryableError {
  return new RetryableError('model_malformed_stream', `The answer's stream is malformed: ${reason}.`);
}
