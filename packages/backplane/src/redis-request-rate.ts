import type { Redis } from 'ioredis';
import { keyPart } from './key-part.ts';
import { KEPT_MS, type SpendRequests } from './request-rate.ts';

/*
 * KEYS[1]: the bucket, a hash of `tokens` and `at` (milliseconds, by the server's clock).
 * ARGV: 1 tokens to take, 2 tokens a second, 3 milliseconds to keep it.
 * Returns what is left, as text: negative by at most what a full bucket holds.
 */
const SPEND_SCRIPT = `
local now = redis.call('TIME')
local at = now[1] * 1000 + now[2] / 1000
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local full = tonumber(ARGV[2])
local earned = math.max(0, at - (tonumber(known[2]) or at)) / 1000 * full
local tokens = math.min(full, (tonumber(known[1]) or full) + earned)
tokens = math.max(-full, tokens - tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.3f', at))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return tostring(tokens)`;

/** Buckets in Redis, under `prefix`. One round trip per call. */
export function redisRequestRate(client: Redis, prefix: string): SpendRequests {
  client.defineCommand('turnpikeSpendRequests', { numberOfKeys: 1, lua: SPEND_SCRIPT });
  const commands = client as unknown as {
    turnpikeSpendRequests(key: string, ...values: number[]): Promise<string>;
  };
  return async (key, count, { perSecond }) =>
    Number(await commands.turnpikeSpendRequests(prefix + keyPart(key), count, perSecond, KEPT_MS));
}
