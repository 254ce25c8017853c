import {
  StreamableHTTPClientTransport,
  type JSONRPCMessage,
  type RequestId,
  type StreamableHTTPClientTransportOptions,
  type TransportSendOptions,
} from '@modelcontextprotocol/client';
import { isCall, watchResponses, type CallWatch, type WatchedTransport } from './call-watch.ts';
import type { ListPages } from './list-page.ts';

/** The transport of the SDK, which tells when the stream of a tool call has ended. */
export class McpTransport extends StreamableHTTPClientTransport implements WatchedTransport {
  watch: CallWatch | null = null;
  callId: RequestId | null = null;
  pages: ListPages | null = null;
  readonly pageIds = new Set<RequestId>();

  constructor(url: URL, options: StreamableHTTPClientTransportOptions) {
    super(url, options);
    watchResponses(this);
  }

  override send(
    message: JSONRPCMessage | JSONRPCMessage[],
    options: TransportSendOptions = {},
  ): Promise<void> {
    const { watch } = this;
    if (!isCall(this, message) || watch === null) return super.send(message, sendOptions(options));
    return super.send(message, {
      ...sendOptions(options),
      onRequestStreamEnd() {
        options.onRequestStreamEnd?.();
        watch.streamEnded();
      },
    });
  }
}

type SendOptions = NonNullable<Parameters<StreamableHTTPClientTransport['send']>[1]>;

/** Without the fields that are undefined, which the transport's own type does not allow. */
function sendOptions(options: TransportSendOptions): SendOptions {
  const { resumptionToken, onresumptiontoken, requestSignal, onRequestStreamEnd, headers } = options;
  return {
    ...(resumptionToken === undefined ? {} : { resumptionToken }),
    ...(onresumptiontoken === undefined ? {} : { onresumptiontoken }),
    ...(requestSignal === undefined ? {} : { requestSignal }),
    ...(onRequestStreamEnd === undefined ? {} : { onRequestStreamEnd }),
    ...(headers === undefined ? {} : { headers }),
  };
}
