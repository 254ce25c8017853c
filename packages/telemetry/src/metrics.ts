import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import {
  METRICS,
  type LabelledGauge,
  type LabelOf,
  type NameOf,
  type PlainGauge,
} from './metric-catalogue.ts';

/** Numbers by the value of a label. */
export type ReadGauges = () => Record<string, number> | Promise<Record<string, number>>;

/** Well below Prometheus's timeout of ten seconds, so that a scrape has all other metrics when one cannot be read. */
const READ_LIMIT_MS = 3_000;

/** What a process counts, in Prometheus's terms. Names, labels and help are in `METRICS`; each is registered once. */
export interface Metrics {
  /** Repairs of the reconciler, by kind. */
  readonly repairs: Counter<'kind'>;
  /** Turns that a worker finished or released, by the status that they had then. */
  readonly turnsReleased: Counter<'status'>;
  /** Leases that were lost: the worker was frozen, disconnected, or too slow. */
  readonly leasesLost: Counter;
  /** Webhook attempts, by the state of the delivery after it. */
  readonly deliveries: Counter<'outcome'>;
  /** Requests by route and status class. Seconds. */
  readonly requests: Histogram<'route' | 'method' | 'status'>;
  /** From a submission to its 202; the turn is stored by then. Seconds. */
  readonly accepts: Histogram;
  /** A number that only grows. Its name ends in `_total`. */
  counter<Name extends NameOf<'counter'>>(name: Name): Counter<LabelOf<Name>>;
  /** Values by size. */
  histogram<Name extends NameOf<'histogram'>>(name: Name): Histogram<LabelOf<Name>>;
  /** A number that is read at each scrape; NaN where it cannot be read in time. */
  gauge(name: PlainGauge, read: () => number | Promise<number>): void;
  /** Like `gauge`, one number for each value of its label; none where they cannot be read in time. */
  gauges(name: LabelledGauge, read: ReadGauges): void;
  /** All metrics in the text format of Prometheus, and its media type. */
  render(): Promise<{ contentType: string; text: string }>;
}

/**
 * Creates the metrics of a process: Node's own (event-loop lag, memory, CPU), and ours. `onError` is called with the
 * error of a gauge that could not be read.
 */
export function createMetrics(service: string, onError: (error: unknown) => void = () => undefined): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <Name extends NameOf<'counter'>>(name: Name): Counter<LabelOf<Name>> => {
    const { help, labels } = METRICS[name];
    return new Counter({ name, help, labelNames: [...labels], registers });
  };
  const histogram = <Name extends NameOf<'histogram'>>(name: Name): Histogram<LabelOf<Name>> => {
    const { help, labels, buckets } = METRICS[name];
    return new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers });
  };
  return {
    repairs: counter('turnpike_reconciler_repairs_total'),
    turnsReleased: counter('turnpike_turns_released_total'),
    leasesLost: counter('turnpike_leases_lost_total'),
    deliveries: counter('turnpike_webhook_attempts_total'),
    requests: histogram('turnpike_http_request_duration_seconds'),
    accepts: histogram('turnpike_turn_accept_duration_seconds'),
    counter,
    histogram,
    gauge(name, read) {
      const gauge = new Gauge({
        name,
        help: METRICS[name].help,
        registers,
        async collect() {
          gauge.set((await readInTime(read, onError)) ?? NaN);
        },
      });
    },
    gauges(name, read) {
      const {
        help,
        labels: [label],
      } = METRICS[name];
      const gauge = new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        async collect() {
          const numbers = await readInTime(read, onError);
          gauge.reset();
          for (const [value, number] of Object.entries(numbers ?? {})) gauge.set({ [label]: value }, number);
        },
      });
    },
    async render() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** Null where it fails or takes too long: while a database is down, the other metrics are still rendered. */
async function readInTime<Value>(
  read: () => Value | Promise<Value>,
  onError: (error: unknown) => void,
): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), READ_LIMIT_MS);
  });
  try {
    return await Promise.race([read(), limit]);
  } catch (error) {
    onError(error);
    return null;
  } finally {
    clearTimeout(timer);
  }
}
