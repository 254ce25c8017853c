import type { Span, Tracing } from './span.ts';
import type { TracingSettings } from './tracing-settings.ts';

const noSpan: Span = {
  traceparent: null,
  rename: () => undefined,
  set: () => undefined,
  end: () => undefined,
};

/** Traces nothing. */
export const noTracing: Tracing = { start: () => noSpan, close: async () => undefined };

/**
 * Traces to a collector; nothing, where none is named. The SDK is loaded only where it is used: it is large.
 * `onError` is told when spans cannot be sent, once for each time that this begins.
 */
export async function openTracing(
  settings: TracingSettings | null,
  service: string,
  onError: (error: unknown) => void,
): Promise<Tracing> {
  if (settings === null) return noTracing;
  const { traceToCollector } = await import('./trace-to-collector.ts');
  return traceToCollector(settings, service, onError);
}

/** The id of the trace, for a log line. */
export function traceIdOf(traceparent: string | null): string | undefined {
  return traceparent?.split('-')[1];
}
