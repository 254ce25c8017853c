import type { JSONRPCMessage, RequestId, Transport } from '@modelcontextprotocol/client';
import { acceptableResult } from './acceptable-result.ts';
import type { ListPages } from './list-page.ts';
import { taskIn, type CreatedTask } from './task-handle.ts';

/** What a transport tells of the one call that it is used for. */
export interface CallWatch {
  /** The call is about to be sent, for the first time or with a new token. What it throws ends the call before that. */
  beforeSend(): void;
  /** The server refused to read the call, for want of authorization. */
  refused(): void;
  /** The stream of the call's response ended, and is not resumed. The response may have come before. */
  streamEnded(): void;
  /** The response announces a task. The client is given an empty result instead: it refuses what is none. */
  taskCreated(task: CreatedTask): void;
}

/** A transport that tells of its call. */
export interface WatchedTransport extends Transport {
  watch: CallWatch | null;
  /** Of the call. */
  callId: RequestId | null;
  /** What reads the pages of a list of tools before the client does; null where none is asked for. */
  pages: ListPages | null;
  /** Of requests for a page. */
  readonly pageIds: Set<RequestId>;
  /** Tells the server that its session is over, where there are sessions. */
  terminateSession?(): Promise<void>;
}

/** Whether a message that is sent is a tool call. Its id is noted then, and that of a request for a page of tools. */
export function isCall(transport: WatchedTransport, message: JSONRPCMessage | JSONRPCMessage[]): boolean {
  if (Array.isArray(message) || !('method' in message)) return false;
  if (message.method === 'tools/list' && 'id' in message) transport.pageIds.add(message.id);
  if (message.method !== 'tools/call') return false;
  transport.callId = 'id' in message ? message.id : null;
  return true;
}

/** Has a transport look at each message before the client does. To be called once, in its constructor. */
export function watchResponses(transport: WatchedTransport): void {
  let deliver = transport.onmessage;
  Object.defineProperty(transport, 'onmessage', {
    configurable: true,
    get: () => deliver,
    set(given: Transport['onmessage']) {
      deliver =
        given === undefined
          ? undefined
          : (message, extra) => {
              const known = withoutTask(transport, asPage(transport, message));
              given(asResult(transport, known), extra);
            };
    },
  });
}

function asPage({ pages, pageIds }: WatchedTransport, message: JSONRPCMessage): JSONRPCMessage {
  if (!('result' in message) || !pageIds.delete(message.id) || pages === null) return message;
  return { ...message, result: pages.read(message.result) };
}

function withoutTask({ watch, callId }: WatchedTransport, message: JSONRPCMessage): JSONRPCMessage {
  if (watch === null || !('result' in message) || message.id !== callId) return message;
  const task = taskIn(message);
  if (task === null) return message;
  watch.taskCreated(task);
  return { ...message, result: { resultType: 'complete', content: [] } };
}

/** The result of the call as the client accepts it: it refuses all of one of which it does not know a part. */
function asResult({ watch, callId }: WatchedTransport, message: JSONRPCMessage): JSONRPCMessage {
  if (watch === null || !('result' in message) || message.id !== callId) return message;
  return { ...message, result: acceptableResult(message.result) };
}
