import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the scripted API does with one request. */
export interface ScriptedResponse {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** After the body: end it (default), break the connection, or say nothing more. */
  after?: 'end' | 'break' | 'hang';
  /** Say nothing at all, not even a status. */
  silent?: boolean;
}

export interface ReceivedRequest {
  path: string | undefined;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
  /** The body as it came. */
  text: string;
  /** Of the other end of its connection. */
  port: number | undefined;
}

export interface ScriptedApi {
  url: string;
  received: ReceivedRequest[];
  /** Resolves with the first request. */
  asked: Promise<unknown>;
  /** Resolves once a connection was closed by the other side before its response was over. */
  abandoned: Promise<unknown>;
  close(): Promise<void>;
}

/** For tests: a Messages API on a real socket that does exactly what it is told, request by request. */
export async function startScriptedApi(
  script: (request: ReceivedRequest, index: number) => ScriptedResponse,
): Promise<ScriptedApi> {
  const received: ReceivedRequest[] = [];
  const happenings = new EventEmitter();
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString();
      const body = JSON.parse(text) as Record<string, unknown>;
      const { url: path, headers } = request;
      const asked = { path, headers, body, text, port: request.socket.remotePort };
      received.push(asked);
      happenings.emit('asked');
      answer(response, script(asked, received.length - 1));
    });
    response.on('close', () => {
      if (!response.writableFinished) happenings.emit('abandoned');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    asked: once(happenings, 'asked'),
    abandoned: once(happenings, 'abandoned'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, scripted: ScriptedResponse): void {
  if (scripted.silent === true) return;
  response.writeHead(scripted.status ?? 200, { 'content-type': 'text/event-stream', ...scripted.headers });
  response.flushHeaders();
  const finish = (): void => {
    if (scripted.after === 'break') response.destroy();
    else if (scripted.after !== 'hang') response.end();
  };
  if (scripted.body === undefined || scripted.body.length === 0) finish();
  else response.write(scripted.body, finish);
}

/** Events as server-sent events, named for their type as the Messages API does. */
export function asEventStream(events: readonly { type: string }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

/** The events of a whole message: each block's start, its deltas and its end, then the stop reason. */
export function messageEvents(
  blocks: readonly { start: object; deltas?: readonly object[] }[],
  stopReason = 'end_turn',
): { type: string; [key: string]: unknown }[] {
  return [
    {
      type: 'message_start',
      message: {
        id: 'msg_1',
        role: 'assistant',
        model: 'claude-test-1',
        usage: { input_tokens: 12, output_tokens: 1 },
      },
    },
    ...blocks.flatMap(({ start, deltas = [] }, index) => [
      { type: 'content_block_start', index, content_block: start },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason: stopReason }, usage: { output_tokens: 7 } },
    { type: 'message_stop' },
  ];
}

/** A message of one text. */
export function textMessage(...pieces: string[]): string {
  const deltas = pieces.map((text) => ({ type: 'text_delta', text }));
  return asEventStream(messageEvents([{ start: { type: 'text', text: '' }, deltas }]));
}

/** The body of an error response. */
export function errorBody(type: string, message: string, details?: object): string {
  return JSON.stringify({ type: 'error', error: { type, message, ...(details && { details }) } });
}
