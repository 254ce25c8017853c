import { createLogger as createWinston, format, transports, type Logger as Winston } from 'winston';
import { scrub } from './hidden-values.ts';
import { redact } from './redact.ts';

export type LogFields = Record<string, unknown>;

/** Structured logs. An error goes into the field `error`; whatever is logged is redacted first. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose every line carries these fields too. */
  child(fields: LogFields): Logger;
}

export interface LoggerSettings {
  service: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  /** `json`: a line of JSON each. `pretty`: for a person at a terminal. */
  format: 'json' | 'pretty';
  /** Default: standard output. */
  stream?: NodeJS.WritableStream;
}

export function createLogger(settings: LoggerSettings): Logger {
  const stream = settings.stream ?? process.stdout;
  const winston = createWinston({
    level: settings.level,
    format: format.combine(format.timestamp(), settings.format === 'json' ? jsonLines : prettyLines),
    transports: [new transports.Stream({ stream })],
    exitOnError: false,
  });
  return wrap(winston, { service: settings.service });
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

function wrap(winston: Winston, fields: LogFields): Logger {
  const write =
    (level: string) =>
    (message: string, more: LogFields = {}): void => {
      winston.log({ level, message: scrub(message), fields: redact({ ...fields, ...more }) });
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => wrap(winston, { ...fields, ...more }),
  };
}

const jsonLines = format.printf(({ timestamp, level, message, fields }) =>
  JSON.stringify({ time: timestamp, level, message, ...(fields as LogFields) }),
);

const prettyLines = format.printf(({ timestamp, level, message, fields }) => {
  const { service, ...rest } = fields as LogFields;
  const details = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
  return `${String(timestamp).slice(11, 23)} ${level.padEnd(5)} ${String(service)}: ${String(message)}${details}`;
});
