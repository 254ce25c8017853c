/** Never a prompt, an output or a secret: ids, names that an operator knows, numbers, codes. */
export type SpanAttributes = Record<string, string | number | boolean | string[] | undefined>;

export interface SpanSettings {
  kind: 'server' | 'client' | 'consumer' | 'internal';
  attributes?: SpanAttributes;
  /** Where it belongs, as `traceparent` of another span says it. Left out or not readable: a trace of its own. */
  parent?: string | null | undefined;
  /** Another trace that it has to do with, in the same form. */
  link?: string | null | undefined;
}

/** A piece of work that is being timed. */
export interface Span {
  /** W3C trace context, for whoever does a part of this work; null where nothing is traced. */
  readonly traceparent: string | null;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** Ends it, with the code of what went wrong where something did. What is told after that is lost. */
  end(failure?: string): void;
}

export interface Tracing {
  start(name: string, settings: SpanSettings): Span;
  /** Sends what is not sent yet, for a few seconds at most. */
  close(): Promise<void>;
}
