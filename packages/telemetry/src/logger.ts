import { createLogger as createWinston, format, transports, type Logger as Winston } from 'winston';
import { scrub } from './hidden-values.ts';
import { joinLines } from './join-lines.ts';
import { redact } from './redact.ts';

export type LogFields = Record<string, unknown>;

/** Structured logs. An error goes into the field `error`. Every message and field is redacted before it is written. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines have these fields too. */
  child(fields: LogFields): Logger;
}

export interface LoggerSettings {
  service: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  /** `json`: one object per line. `pretty`: for a terminal. */
  format: 'json' | 'pretty';
  /** Default: standard output. */
  stream?: NodeJS.WritableStream;
}

export function createLogger(settings: LoggerSettings): Logger {
  const stream = settings.stream ?? joinLines(process.stdout);
  const winston = createWinston({
    level: settings.level,
    format: format.combine(format.timestamp(), settings.format === 'json' ? jsonLines : prettyLines),
    transports: [new transports.Stream({ stream })],
    exitOnError: false,
  });
  return wrap(winston, [{ service: settings.service }]);
}

/** Writes nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

/** `layers`: fields of the outermost logger first; later fields win. */
function wrap(winston: Winston, layers: readonly LogFields[]): Logger {
  const write =
    (level: string) =>
    (message: string, more: LogFields = {}): void => {
      if (!winston.isLevelEnabled(level)) return;
      // Each layer is redacted before merging, since merging would run getters.
      const fields: unknown = Object.assign({}, ...[...layers, more].map(redactFields));
      winston.log({ level, message: scrub(message), fields });
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => wrap(winston, [...layers, more]),
  };
}

function redactFields(fields: LogFields): object {
  const shown = redact(fields);
  return typeof shown === 'object' && shown !== null ? shown : { fields: shown };
}

const jsonLines = format.printf(({ timestamp, level, message, fields }) => {
  const head = { time: timestamp, level, message };
  // First so that the line begins with it, and last so that no field of the same name replaces it.
  return JSON.stringify({ ...head, ...(fields as LogFields), ...head });
});

const prettyLines = format.printf(({ timestamp, level, message, fields }) => {
  const { service, ...rest } = fields as LogFields;
  const details = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
  return `${String(timestamp).slice(11, 23)} ${level.padEnd(5)} ${String(service)}: ${String(message)}${details}`;
});
