import { z } from 'zod';

/** What an error response or an `error` event says, of whichever provider. */
export interface ErrorBody {
  /** In the words of the Messages API, or an exception of AWS such as `throttlingException`. */
  type: string | undefined;
  message: string | undefined;
  requestId: string | undefined;
}

const text = z.string().optional().catch(undefined);

/** As far as it is read. */
const messagesSchema = z.looseObject({
  error: z.looseObject({ type: text, message: text }),
  request_id: text,
});
/** Google wraps the error of a stream in an array. */
const googleSchema = z.tuple([messagesSchema], z.unknown()).transform(([first]) => first);
const awsSchema = z.looseObject({ message: text, Message: text });

/** Reads the body of an error, and for AWS the header that names it. */
export function readErrorBody(body: unknown, headers: Headers | undefined): ErrorBody {
  const known = messagesSchema.or(googleSchema).safeParse(body).data;
  if (known !== undefined) {
    return { type: known.error.type, message: known.error.message, requestId: known.request_id };
  }
  const aws = awsSchema.safeParse(body).data;
  return { type: awsTypeIn(headers), message: aws?.message ?? aws?.Message, requestId: undefined };
}

/** `ThrottlingException:http://…` as a stream of Bedrock names it: `throttlingException`. */
function awsTypeIn(headers: Headers | undefined): string | undefined {
  const name = /^[A-Za-z]+/.exec(headers?.get('x-amzn-errortype') ?? '')?.[0];
  return name === undefined ? undefined : name.charAt(0).toLowerCase() + name.slice(1);
}

/** The provider's id of a request. */
export function requestIdIn(headers: Headers | undefined): string | null {
  return headers?.get('request-id') ?? headers?.get('x-amzn-requestid') ?? null;
}
