import type { Delivery, DeliveryAttempt, WebhookEndpoint } from '@turnpike/contract';
import { Cluster, type ClusterOptions } from '../../support/cluster.ts';
import { untilTrue } from '../../support/until-true.ts';

/** Hurried, and allowed to reach the receivers of the tests. */
const FAST = {
  EGRESS_ALLOW: '127.0.0.1',

  JOB_AGE_MS: '500',
  WEBHOOK_TIMEOUT_MS: '2000',
  WEBHOOK_RETRY_SCHEDULE: '200ms,300ms,400ms',
};

/** Only ends a wait that would never end: a receiver that is down is asked by one delivery at a time. */
const LIMIT_MS = 120_000;

export type Endpoint = WebhookEndpoint & { signing_secret: string };

/** A cluster, and what its tenant does about webhooks. */
export class WebhookCluster {
  readonly cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async start(options: Partial<ClusterOptions> = {}): Promise<WebhookCluster> {
    const environment = { ...FAST, ...options.environment };
    return new WebhookCluster(await Cluster.start({ workers: 1, ...options, environment }));
  }

  async endpoint(url: string, events = ['turn.completed']): Promise<Endpoint> {
    return (await this.ask('POST', '/v1/webhook_endpoints', { url, events })) as Endpoint;
  }

  /** Throws unless the response is a good one. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await this.cluster.request(method, path, body);
    if (response.status >= 300)
      throw new Error(`${path} says ${response.status}: ${JSON.stringify(response.body)}`);
    return response.body;
  }

  async ping(endpoint: { id: string }): Promise<Delivery> {
    return (await this.ask('POST', `/v1/webhook_endpoints/${endpoint.id}/ping`)) as Delivery;
  }

  async read(id: string): Promise<Delivery & { attempt_log: DeliveryAttempt[] }> {
    return (await this.ask('GET', `/v1/deliveries/${id}`)) as Delivery & { attempt_log: DeliveryAttempt[] };
  }

  /** All deliveries, newest first; up to 100. */
  async deliveries(query = ''): Promise<Delivery[]> {
    const { items } = (await this.ask('GET', `/v1/deliveries?limit=100${query}`)) as { items: Delivery[] };
    return items;
  }

  /** Waits until a delivery has one of these statuses. */
  async until(
    id: string,
    ...statuses: Delivery['status'][]
  ): Promise<Delivery & { attempt_log: DeliveryAttempt[] }> {
    let delivery = await this.read(id);
    await untilTrue(
      `${id} is ${statuses.join(' or ')}`,
      async () => {
        delivery = await this.read(id);
        return statuses.includes(delivery.status);
      },
      LIMIT_MS,
    ).catch((error: unknown) => {
      throw new Error(JSON.stringify(delivery), { cause: error });
    });
    return delivery;
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}
