import { setTimeout as delay } from 'node:timers/promises';
import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type SpanContext,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { scrub } from './hidden-values.ts';
import type { SpanAttributes, SpanSettings, Tracing } from './span.ts';
import type { TracingSettings } from './tracing-settings.ts';

const EXPORT_TIMEOUT_MS = 5_000;
/** A stopping process waits no longer than this for the collector. */
const CLOSE_LIMIT_MS = 2_000;

const KINDS: Record<SpanSettings['kind'], SpanKind> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};

/**
 * Sends spans to a collector in batches, by OTLP over HTTP; spans that exceed the queue are dropped. Parents are passed
 * explicitly, so no context manager is registered, which would slow down every promise.
 */
export function traceToCollector(
  { endpoint, headers }: TracingSettings,
  service: string,
  onError: (error: unknown) => void,
): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()])),
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const processor = new BatchSpanProcessor(reporting(exporter, onError), {
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `turnpike-${service}` }),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('turnpike');
  return {
    start(name, { kind, attributes = {}, parent, link }) {
      const parentContext = readTraceparent(parent);
      const linkContext = readTraceparent(link);
      const span = tracer.startSpan(
        scrub(name),
        {
          kind: KINDS[kind],
          attributes: clean(attributes),
          links: linkContext === null ? [] : [{ context: linkContext }],
        },
        parentContext === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parentContext),
      );
      return {
        traceparent: writeTraceparent(span.spanContext()),
        rename: (newName) => void span.updateName(scrub(newName)),
        set: (more) => void span.setAttributes(clean(more)),
        end(failure) {
          if (failure !== undefined) {
            span.setAttribute('error.type', scrub(failure));
            span.setStatus({ code: SpanStatusCode.ERROR });
          }
          span.end();
        },
      };
    },
    async close() {
      // Errors have been reported by then.
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, delay(CLOSE_LIMIT_MS, undefined, { ref: false })]);
    },
  };
}

/** The last line of defence: callers put nothing into attributes that could contain a secret. */
function clean(attributes: SpanAttributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      typeof value === 'string' ? scrub(value) : Array.isArray(value) ? value.map(scrub) : value,
    ]),
  );
}

/** Reports the first failed export, and the next one only after a success. */
function reporting(exporter: SpanExporter, onError: (error: unknown) => void): SpanExporter {
  let isAway = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const code: number = result.code;
        const failed = code !== 0;
        if (failed && !isAway) onError(result.error);
        isAway = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

function readTraceparent(text: string | null | undefined): SpanContext | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(context) ? context : null;
}

function writeTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`;
}
