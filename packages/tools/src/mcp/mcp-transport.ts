import {
  StreamableHTTPClientTransport,
  type JSONRPCMessage,
  type StreamableHTTPClientTransportOptions,
  type TransportSendOptions,
} from '@modelcontextprotocol/client';

/** What a transport tells of the one call that it is used for. */
export interface CallWatch {
  /** The call is about to be sent. What it throws ends the call before that. */
  beforeSend(): void;
  /** The stream of the call's response ended, and is not resumed. The response may have come before. */
  streamEnded(): void;
}

/** The transport of the SDK, which tells when a tool call is sent, and when its stream has ended. */
export class McpTransport extends StreamableHTTPClientTransport {
  watch: CallWatch | null = null;

  constructor(url: URL, options: StreamableHTTPClientTransportOptions) {
    super(url, options);
  }

  override send(
    message: JSONRPCMessage | JSONRPCMessage[],
    options: TransportSendOptions = {},
  ): Promise<void> {
    const { watch } = this;
    const isCall = !Array.isArray(message) && 'method' in message && message.method === 'tools/call';
    if (!isCall || watch === null) return super.send(message, sendOptions(options));
    watch.beforeSend();
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
