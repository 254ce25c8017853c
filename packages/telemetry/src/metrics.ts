import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

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
  /** A number that is read when it is asked for. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
  /** All of it in the text format of Prometheus, and that format's media type. */
  render(): Promise<{ contentType: string; text: string }>;
}

/** Makes the metrics of a process: Node's own (event-loop lag, memory, CPU), and ours. */
export function createMetrics(service: string): Metrics {
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
    gauge(name, help, read) {
      const gauge = new Gauge({
        name,
        help,
        registers,
        async collect() {
          gauge.set(await read());
        },
      });
    },
    async render() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
