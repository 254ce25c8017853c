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

/** Well below the ten seconds after which Prometheus gives up: what can be read is shown when the rest cannot. */
const READ_LIMIT_MS = 3_000;

/** What a process counts, in Prometheus's terms. Names, labels and help are in `METRICS`; each is registered once. */
export interface Metrics {
  /** Repairs of the reconciler, by kind. */
  readonly repairs: Counter<'kind'>;
  /** Turns that a worker finished or released, by the status that they had then. */
  readonly turnsReleased: Counter<'status'>;
  /** Leases that were lost: a worker was frozen, cut off, or too slow. */
  readonly leasesLost: Counter;
  /** Attempts to deliver a webhook, by what became of the delivery. */
  readonly deliveries: Counter<'outcome'>;
  /** Requests by route and status class. Seconds. */
  readonly requests: Histogram<'route' | 'method' | 'status'>;
  /** How long it took until a turn was stored and its client had the 202. Seconds. */
  readonly accepts: Histogram;
  /** A number that only grows. Its name ends in `_total`. */
  counter<Name extends NameOf<'counter'>>(name: Name): Counter<LabelOf<Name>>;
  /** Values by size. */
  histogram<Name extends NameOf<'histogram'>>(name: Name): Histogram<LabelOf<Name>>;
  /** A number that is read when it is asked for; NaN where it cannot be read in time. */
  gauge(name: PlainGauge, read: () => number | Promise<number>): void;
  /** As `gauge`, one number for each value of its label; none of them where they cannot be read in time. */
  gauges(name: LabelledGauge, read: ReadGauges): void;
  /** All of it in the text format of Prometheus, and that format's media type. */
  render(): Promise<{ contentType: string; text: string }>;
}

/**
 * Makes the metrics of a process: Node's own (event-loop lag, memory, CPU), and ours. `onError` is called with the
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

/** Null where it fails or takes too long: a database that is down must not take the other metrics with it. */
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
