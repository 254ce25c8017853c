/** A session of a server of 2025-11-25 or before, with the protocol version that it was begun with. */
export interface McpSession {
  id: string;
  version: string;
}
