/** Ids, names that operators know, numbers and codes: never a prompt, an output or a secret. */
export type SpanAttributes = Record<string, string | number | boolean | string[] | undefined>;

export interface SpanSettings {
  kind: 'server' | 'client' | 'consumer' | 'internal';
  attributes?: SpanAttributes;
  /** `traceparent` of the parent span. Left out or invalid: the span begins a new trace. */
  parent?: string | null | undefined;
  /** `traceparent` of a span in a related trace. */
  link?: string | null | undefined;
}

/** An operation that is being timed. */
export interface Span {
  /** W3C trace context for child spans; null where nothing is traced. */
  readonly traceparent: string | null;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** Ends the span, with an error code where it failed. Later changes are ignored. */
  end(failure?: string): void;
}

export interface Tracing {
  start(name: string, settings: SpanSettings): Span;
  /** Sends spans that are not sent yet, for a few seconds at most. */
  close(): Promise<void>;
}
