import { Writable } from 'node:stream';
import { createLogger, type Logger } from '@turnpike/telemetry';

/** The real logger, with its lines kept. */
export function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { logger: createLogger({ service: 'test', level: 'debug', format: 'json', stream }), lines };
}
