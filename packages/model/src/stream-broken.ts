import { RetryableError } from '@turnpike/contract';

/** The stream ended before `message_stop`. */
export function streamCut(): RetryableError {
  return new RetryableError('model_stream_cut', 'The model response ended before it was complete.');
}

/** The stream is not one of a valid message. The reason never quotes it. */
export function streamMalformed(reason: string): RetryableError {
  return new RetryableError(
    'model_malformed_stream',
    `The stream of the model response is malformed: ${reason}.`,
  );
}
