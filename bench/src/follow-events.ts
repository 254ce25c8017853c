import { get, Agent } from 'node:http';

/** A client that follows a turn's events. */
export interface Follower {
  /** Resolves when the server ends the stream, after the turn's end. */
  ended: Promise<void>;
  close(): void;
}

/** Follows the events of a turn over SSE; each chunk is passed on as it comes. */
export function followEvents(
  url: string,
  headers: Record<string, string>,
  onPiece: (piece: string) => void = () => undefined,
): Promise<Follower> {
  return new Promise((resolve, reject) => {
    const call = get(url, { headers, agent: new Agent() }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`${url}: ${String(response.statusCode)}`));
        return;
      }
      response.setEncoding('utf8');
      response.on('data', onPiece);
      const ended = new Promise<void>((over) => response.once('close', over));
      resolve({ ended, close: () => call.destroy() });
    });
    call.on('error', reject);
  });
}
