import type { ToolOutput } from '@turnpike/contract';
import {
  EGRESS_METHODS,
  EgressRefusedError,
  EgressUnreachableError,
  type Egress,
  type EgressResponse,
} from '@turnpike/egress';
import { z } from 'zod';
import { defineTool, textOutput, type Tool } from './tool.ts';

const inputSchema = z.strictObject({
  method: z.enum(EGRESS_METHODS).default('GET'),
  url: z.string().min(1).max(8_000),
  headers: z.record(z.string().max(128), z.string().max(8_000)).optional(),
  body: z.string().max(256_000).optional().describe('Sent as it is; set content-type to say what it is.'),
});

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);
const SHOWN_HEADERS = ['content-type', 'location', 'retry-after', 'last-modified', 'etag'];
const MAX_BODY_BYTES = 512 * 1024;

/**
 * One HTTP request to a URL that the model chose, through the guard. Reading may be repeated;
 * of anything else nobody knows whether the other side removes duplicates, so it is sent once.
 */
export function httpRequest(egress: Egress): Tool {
  return defineTool({
    name: 'http_request',
    description:
      'Sends one HTTP request to a public URL and returns the status, some headers and the body as text. ' +
      'Redirects are not followed: request the location yourself.',
    input: inputSchema,
    effect: (input) => (READING.has(input.method) ? 'read' : 'once'),
    deadlineMs: 30_000,
    async run(input, context) {
      const isReading = READING.has(input.method);
      try {
        const answer = await egress.send({
          method: input.method,
          url: input.url,
          headers: {
            'user-agent': 'Turnpike',
            ...input.headers,
            ...(isReading ? {} : { 'idempotency-key': context.callId }),
          },
          ...(input.body === undefined ? {} : { body: input.body }),
          signal: context.signal,
          deadlineMs: 30_000,
          maxResponseBytes: MAX_BODY_BYTES,
        });
        return describeAnswer(answer);
      } catch (error) {
        if (error instanceof EgressRefusedError || error instanceof EgressUnreachableError) {
          return textOutput(`The request was not sent. ${error.message}`, true);
        }
        throw error;
      }
    },
  });
}

function describeAnswer(answer: EgressResponse): ToolOutput {
  const headers = SHOWN_HEADERS.flatMap((name) => {
    const value = answer.headers[name];
    return value === undefined ? [] : `${name}: ${value}`;
  });
  const cut = answer.truncated ? `\n[cut: ${answer.bodyEnd}]` : '';
  const text = [`HTTP ${answer.status}`, ...headers, '', decodeBody(answer) + cut].join('\n');
  return textOutput(text, answer.status >= 400);
}

function decodeBody(answer: EgressResponse): string {
  try {
    // A cut may fall inside a character: then the decoder is told that more would have come.
    return new TextDecoder('utf-8', { fatal: true }).decode(answer.body, { stream: answer.truncated });
  } catch {
    return `[${answer.body.byteLength} bytes that are not text]`;
  }
}
