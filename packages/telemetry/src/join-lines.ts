import type { Writable } from 'node:stream';

/**
 * Lines that are written in one turn of the event loop leave the process in one write: each write is a system call
 * that may wake whoever reads the log. The end of the process waits for them.
 */
export function joinLines(stream: Writable): NodeJS.WritableStream {
  let isCorked = false;
  const uncork = (): void => {
    if (!isCorked) return;
    isCorked = false;
    stream.uncork();
  };
  process.once('exit', uncork);
  return Object.create(stream, {
    write: {
      value(line: string): boolean {
        if (!isCorked) {
          isCorked = true;
          stream.cork();
          setImmediate(uncork);
        }
        return stream.write(line);
      },
    },
  }) as NodeJS.WritableStream;
}
