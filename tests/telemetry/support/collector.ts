import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { z } from 'zod';

const valueSchema = z.looseObject({
  stringValue: z.string().optional(),
  intValue: z.union([z.int(), z.string()]).optional(),
});

const spanSchema = z.looseObject({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  attributes: z.array(z.object({ key: z.string(), value: valueSchema })),
  links: z.array(z.looseObject({ traceId: z.string() })).default([]),
  status: z.looseObject({ code: z.int().optional() }),
});

const batchSchema = z.object({
  resourceSpans: z.array(
    z.looseObject({ scopeSpans: z.array(z.looseObject({ spans: z.array(spanSchema) })) }),
  ),
});

export type CollectedSpan = z.infer<typeof spanSchema>;

/** Takes traces by OTLP over HTTP, in JSON, as a real collector does. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  /** The batches as they came. */
  readonly texts: string[] = [];
  readonly headers: NodeJS.Dict<string | string[]>[] = [];
  readonly #server: Server;
  url = '';

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        this.texts.push(text);
        this.headers.push(request.headers);
        const { resourceSpans } = batchSchema.parse(JSON.parse(text));
        this.spans.push(
          ...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
        );
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    const address = collector.#server.address();
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    collector.url = `http://127.0.0.1:${address.port}`;
    return collector;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A span's attribute, whatever its type; undefined where it has none of that name. */
export function attributeOf({ attributes }: CollectedSpan, name: string): unknown {
  const value = attributes.find(({ key }) => key === name)?.value;
  return value?.stringValue ?? value?.intValue;
}
