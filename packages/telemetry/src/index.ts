export { boundedNames } from './bounded-names.ts';
export { exitOnCrash } from './exit-on-crash.ts';
export { hidePassword, hideValue, scrub, withoutValue } from './hidden-values.ts';
export { createLogger, silentLogger, type Logger, type LoggerSettings, type LogFields } from './logger.ts';
export { redact } from './redact.ts';
export { rememberRead } from './remember-read.ts';
export { secretForms } from './secret-forms.ts';
export { Secret } from './secret.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { serveMetrics } from './serve-metrics.ts';
export {
  noTracing,
  openTracing,
  traceIdOf,
  type Span,
  type SpanAttributes,
  type SpanSettings,
  type Tracing,
} from './tracing.ts';
export { watchPool } from './watch-pool.ts';
export { tracingSettings, tracingVariables, type TracingSettings } from './tracing-settings.ts';
