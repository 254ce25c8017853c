import { lookup as systemLookup } from 'node:dns/promises';
import { z } from 'zod';
import { type AddressList, parseAddressList } from './address-list.ts';

/** Resolves a name to all its addresses. Called once per request. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

const milliseconds = z.int().min(1).max(3_600_000);
const bytes = z.int().min(1).max(1_073_741_824);

const policySchema = z.strictObject({
  schemes: z.array(z.enum(['http', 'https'])).default(['http', 'https']),
  ports: z.array(z.int().min(1).max(65_535)).optional(),
  allow: z.array(z.string()).default([]),
  deny: z.array(z.string()).default([]),
  ca: z.string().optional(),
  lookup: z.custom<Lookup>((value) => typeof value === 'function', 'must be a function').optional(),
  connectTimeoutMs: milliseconds.default(5_000),
  idleTimeoutMs: milliseconds.default(30_000),
  deadlineMs: milliseconds.default(60_000),
  maxResponseBytes: bytes.default(1_048_576),
  maxHeaderBytes: bytes.default(16_384),
});

/**
 * The destinations that may be reached, and the limits of one request. All fields are optional.
 * - `schemes`: default `http` and `https`.
 * - `ports`: the only allowed ports; default 80, 443 and every port from 1024 on that fetch does not block.
 * - `allow`: private addresses, ranges or names that are allowed, for development (see `parseAddressList`). A
 *   name is trusted whatever it resolves to. The port rule does not apply to them.
 * - `deny`: refused even if public or allowed, such as a NAT64 prefix of your own network.
 * - `ca`: PEM certificates to trust instead of the system's. Certificates are always verified.
 * - `lookup`: resolves names; default the system's resolver.
 * - Times are milliseconds: `connectTimeoutMs` (name, TCP and TLS), `idleTimeoutMs` (between two bytes),
 *   `deadlineMs` (the whole request). Sizes are bytes: `maxResponseBytes` (body), `maxHeaderBytes` (response headers).
 */
export type EgressPolicy = z.input<typeof policySchema>;

/** A validated policy with parsed lists. */
export interface EgressRules extends Omit<z.output<typeof policySchema>, 'allow' | 'deny' | 'lookup'> {
  allow: AddressList;
  deny: AddressList;
  lookup: Lookup;
}

/** Throws a `ZodError` or a `TypeError` for an invalid policy. */
export function parsePolicy(policy: EgressPolicy): EgressRules {
  const { allow, deny, lookup, ...rest } = policySchema.parse(policy);
  return {
    ...rest,
    allow: parseAddressList(allow),
    deny: parseAddressList(deny),
    lookup: lookup ?? lookupWithSystem,
  };
}

async function lookupWithSystem(hostname: string): Promise<readonly string[]> {
  const records = await systemLookup(hostname, { all: true });
  return records.map((record) => record.address);
}
