import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A tenant's gateway that responds to every model call with a stream of 31 MB of text. */
export interface EndlessGateway {
  url: string;
  /** Bytes that it has written in all responses. */
  written(): Promise<number>;
  /** Milliseconds between two pieces of 64 kB, from now on; 0: as fast as they are read. */
  setPace(paceMs: number): Promise<void>;
  close(): void;
}

export async function startEndlessGateway(): Promise<EndlessGateway> {
  const child = fork(fileURLToPath(new URL('./endless-gateway.mjs', import.meta.url)), { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const ask = async (question: object): Promise<number> => {
    const reply = once(child, 'message') as Promise<[{ written: number }]>;
    child.send(question);
    const [{ written }] = await reply;
    return written;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    written: () => ask({}),
    setPace: async (paceMs) => void (await ask({ paceMs })),
    close: () => child.kill('SIGKILL'),
  };
}
