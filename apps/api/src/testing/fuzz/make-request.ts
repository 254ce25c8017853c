import type { Operation, Schema } from '../read-operations.ts';
import { isOdd, makeValue, oddFor, oddText, writeJson, type Maker } from './make-value.ts';
import { ODD_HEADERS, ODD_IN_ADDRESS } from './odd-values.ts';
import type { Random } from './random.ts';

export interface FuzzRequest {
  operation: Operation;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

/** A request to this operation: a valid one, or one with an odd path, header or body. */
export function makeRequest(operation: Operation, maker: Maker): FuzzRequest {
  return {
    operation,
    path: makeAddress(operation, maker),
    headers: makeHeaders(maker),
    body: makeBody(operation, maker),
  };
}

function makeAddress(operation: Operation, maker: Maker): string {
  const { random } = maker;
  let path = operation.path;
  const query: string[] = [];
  for (const { name, in: location, required, schema } of random.rotate(operation.parameters)) {
    if (location === 'path') path = path.replace(`{${name}}`, makePart(schema, maker, 0.02));
    if (location === 'query' && (required || random.chance(0.5)))
      query.push(`${name}=${makePart(schema, maker, 0.6)}`);
  }
  if (isOdd(maker, 0.02)) query.push(`${encode(oddText(random))}=${encode(oddText(random))}`);
  return query.length === 0 ? path : `${path}?${query.join('&')}`;
}

function makePart(schema: Schema, maker: Maker, oddness: number): string {
  const { random } = maker;
  if (isOdd(maker, oddness))
    return random.chance(0.5)
      ? random.pick(ODD_IN_ADDRESS)
      : encode(oddFor(maker.document.resolve(schema), random));
  return encode(makeValue(schema, { ...maker, odd: { places: 0 } }));
}

/** Percent-encoded, with U+FFFD for half of a surrogate pair. */
function encode(value: unknown): string {
  const text = typeof value === 'string' ? value : writeJson(value);
  return encodeURIComponent(Buffer.from(text.slice(0, 500)).toString());
}

function makeHeaders(maker: Maker): Record<string, string> {
  const { random } = maker;
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/json',
    // Without it, every request of A2A is refused for its version alone.
    'a2a-version': '1.0',
  };
  for (const [name, values] of Object.entries(ODD_HEADERS)) {
    if (isOdd(maker, 0.02)) headers[name] = random.pick(values);
  }
  return headers;
}

function makeBody({ method, body: schema }: Operation, maker: Maker): Buffer | null {
  const { random } = maker;
  if (schema === null) return method === 'post' && random.chance(0.5) ? Buffer.from('{}') : null;
  const bytes = Buffer.from(writeJson(makeValue(schema, maker)));
  if (random.chance(0.02)) return Buffer.from(oddText(random));
  return random.chance(0.04) ? damaged(bytes, random) : bytes;
}

function damaged(bytes: Buffer, random: Random): Buffer {
  const offset = random.below(bytes.length);
  const odd = Buffer.from([random.pick([0, 0x22, 0x5c, 0x7b, 0xc0, 0xed, 0xff])]);
  return random.chance(0.3)
    ? bytes.subarray(0, offset)
    : Buffer.concat([bytes.subarray(0, offset), odd, bytes.subarray(offset + 1)]);
}
