export { exitOnCrash } from './exit-on-crash.ts';
export { hidePassword, hideValue, scrub, withoutValue } from './hidden-values.ts';
export { createLogger, silentLogger, type Logger, type LoggerSettings, type LogFields } from './logger.ts';
export { redact } from './redact.ts';
export { secretForms } from './secret-forms.ts';
export { Secret } from './secret.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { serveMetrics } from './serve-metrics.ts';
