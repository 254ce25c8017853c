import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Numbers by the value of a label. */
export type ReadGauges = () => Record<string, number> | Promise<Record<string, number>>;

/** Well below the ten seconds after which Prometheus gives up: what can be read is shown when the rest cannot. */
const READ_LIMIT_MS = 3_000;

/** What a process counts, in Prometheus's terms. Labels are few and bounded: never an id. */
export interface Metrics {
  /** Repairs of the reconciler, by kind: each is something that went wrong and was put right. */
  readonly repairs: Counter<'kind'>;
  /** Turns that left a worker, by the status that they had then. */
  readonly turnsLeft: Counter<'status'>;
  /** Leases that were lost: a worker was frozen, cut off, or too slow. */
  readonly leasesLost: Counter;
  /** Attempts to deliver a webhook, by what became of the delivery. */
  readonly deliveries: Counter<'outcome'>;
  /** Requests by route and status class. Seconds. */
  readonly requests: Histogram<'route' | 'method' | 'status'>;
  /** How long it took until a turn was stored and its client had the 202. Seconds. */
  readonly accepts: Histogram;
  /** A number that only grows. Its name ends in `_total`. */
  counter<Label extends string>(name: string, help: string, labels: readonly Label[]): Counter<Label>;
  /** Values by size; `buckets` are upper bounds. */
  histogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    buckets: readonly number[],
  ): Histogram<Label>;
  /** A number that is read when it is asked for; NaN where it cannot be read in time. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
  /** As `gauge`, one number for each value of a label; none of them where they cannot be read in time. */
  gauges(name: string, help: string, label: string, read: ReadGauges): void;
  /** All of it in the text format of Prometheus, and that format's media type. */
  render(): Promise<{ contentType: string; text: string }>;
}

/**
 * Makes the metrics of a process: Node's own (event-loop lag, memory, CPU), and ours. `onError` is told of a
 * gauge that could not be read.
 */
export function createMetrics(service: string, onError: (error: unknown) => void = () => undefined): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    repairs: new Counter({
      name: 'turnpike_reconciler_repairs_total',
      help: 'What the reconciler found wrong and put right, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    turnsLeft: new Counter({
      name: 'turnpike_turns_left_total',
      help: 'Turns that left a worker, by the status they had then.',
      labelNames: ['status'],
      registers,
    }),
    leasesLost: new Counter({
      name: 'turnpike_leases_lost_total',
      help: 'Leases that a worker lost before it was done.',
      registers,
    }),
    deliveries: new Counter({
      name: 'turnpike_webhook_attempts_total',
      help: 'Attempts to deliver a webhook, by what became of the delivery; held_back: its receiver was left alone.',
      labelNames: ['outcome'],
      registers,
    }),
    requests: new Histogram({
      name: 'turnpike_http_request_duration_seconds',
      help: 'Answers to HTTP requests, long polls included.',
      labelNames: ['route', 'method', 'status'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    accepts: new Histogram({
      name: 'turnpike_turn_accept_duration_seconds',
      help: 'From a submission to its 202: the turn is stored by then.',
      buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    counter: (name, help, labels) => new Counter({ name, help, labelNames: labels, registers }),
    histogram: (name, help, labels, buckets) =>
      new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers }),
    gauge(name, help, read) {
      const gauge = new Gauge({
        name,
        help,
        registers,
        async collect() {
          gauge.set((await readInTime(read, onError)) ?? NaN);
        },
      });
    },
    gauges(name, help, label, read) {
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
