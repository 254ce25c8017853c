import type { ToolOutput } from '@turnpike/contract';
import {
  EGRESS_METHODS,
  EgressRefusedError,
  EgressUnreachableError,
  type Egress,
  type EgressResponse,
} from '@turnpike/egress';
import { z } from 'zod';
import { describeBody } from './describe-body.ts';
import { defineTool, textOutput, type Tool } from './tool.ts';

const inputSchema = z.strictObject({
  method: z.enum(EGRESS_METHODS).default('GET'),
  url: z.string().min(1).max(8_000),
  headers: z.record(z.string().max(128), z.string().max(8_000)).optional(),
  body: z.string().max(256_000).optional().describe('Sent as it is; set content-type to say what it is.'),
});

const READ_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Headers that make a server handle a GET as another method. */
const METHOD_OVERRIDE = /^x-(http-)?method(-override)?$/i;
const SHOWN_HEADERS = [
  'content-type',
  'content-encoding',
  'content-length',
  'location',
  'retry-after',
  'last-modified',
  'etag',
];
const MAX_BODY_BYTES = 256 * 1024;
const DEADLINE_MS = 30_000;
/** Ends before the call's deadline: the egress knows whether anything was sent, the deadline does not. */
const REQUEST_DEADLINE_MS = 28_000;

/**
 * One HTTP request to a URL that the model chose, through the address guard. A read may be repeated; any other request
 * is sent once, since the server may not remove duplicates. A status of 400 and above is an error for the model; a
 * redirect is not.
 */
export function httpRequest(egress: Egress): Tool {
  return defineTool({
    name: 'http_request',
    description:
      'Sends one HTTP request to a public URL and returns the status, some headers and the body as text. ' +
      'Redirects are not followed: request the location yourself.',
    input: inputSchema,
    effect: (input) => (isRead(input) ? 'read' : 'once'),
    deadlineMs: DEADLINE_MS,
    async run(input, context) {
      try {
        const response = await egress.send({
          method: input.method,
          url: input.url,
          headers: {
            'user-agent': 'Turnpike',
            ...input.headers,
            ...(isRead(input) ? {} : { 'idempotency-key': context.callId }),
          },
          ...(input.body === undefined ? {} : { body: input.body }),
          signal: context.signal,
          beforeSend: () => context.assertHeld(),
          deadlineMs: REQUEST_DEADLINE_MS,
          maxResponseBytes: MAX_BODY_BYTES,
        });
        return describeResponse(response);
      } catch (error) {
        if (error instanceof EgressRefusedError || error instanceof EgressUnreachableError) {
          return textOutput(`The request was not sent. ${error.message}`, true);
        }
        throw error;
      }
    },
  });
}

function isRead({ method, headers = {} }: z.output<typeof inputSchema>): boolean {
  return READ_METHODS.has(method) && !Object.keys(headers).some((name) => METHOD_OVERRIDE.test(name));
}

function describeResponse(response: EgressResponse): ToolOutput {
  const headers = SHOWN_HEADERS.flatMap((name) => {
    const value = response.headers[name];
    return value === undefined ? [] : `${name}: ${value}`;
  });
  const text = [`HTTP ${response.status}`, ...headers, '', describeBody(response)].join('\n');
  return textOutput(text, response.status >= 400);
}
