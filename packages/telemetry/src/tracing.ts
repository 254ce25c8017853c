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
 * Traces to the collector of `settings`; to none where they are null. The SDK is large, and is loaded only where it is
 * used. \`onError\` is called for the first export that fails, and again only after a success.
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
