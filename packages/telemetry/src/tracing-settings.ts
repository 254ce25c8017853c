import { z } from 'zod';
import { Secret } from './secret.ts';

export interface TracingSettings {
  /** URL of a collector that takes OTLP over HTTP; `/v1/traces` is appended. */
  endpoint: string;
  /** Headers of every export, such as the collector's API key. */
  headers: Record<string, Secret>;
}

/** OpenTelemetry's own variables, for a program's schema of its environment. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('A collector that takes OTLP over HTTP. `/v1/traces` is appended.')
    .meta({ unset: 'no traces' }),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .default('')
    .transform((list, context) => {
      const headers: Record<string, Secret> = {};
      for (const entry of list.split(',').flatMap((part) => part.trim() || [])) {
        const [, name, value] = /^([\w!#$%&'*+.^`|~-]+)\s*=\s*(.*)$/.exec(entry) ?? [];
        const decoded = decode(value ?? '');
        // The message does not quote the entry, which contains a key.
        if (name === undefined || decoded === null) context.addIssue('must be name=value, comma-separated');
        else headers[name.toLowerCase()] = new Secret(decoded);
      }
      return headers;
    })
    .describe('Headers of every export: `name=value`, comma-separated, values URL-encoded.')
    .meta({ unset: 'none' }),
  OTEL_SDK_DISABLED: z
    .string()
    .optional()
    .describe('`true` switches tracing off although an endpoint is set.'),
};

const environmentSchema = z.object(tracingVariables);

/** Null where nothing is to be traced. */
export function tracingSettings(environment: z.output<typeof environmentSchema>): TracingSettings | null {
  const endpoint = environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined || environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null;
  return { endpoint, headers: environment.OTEL_EXPORTER_OTLP_HEADERS };
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
