import type { Redis } from 'ioredis';
import { keyPart } from './key-part.ts';
import { BUCKET, type ChangeBucket } from './retry-budget.ts';

/*
 * KEYS[1]: the bucket, a hash of `tokens` and `at` (milliseconds, by the server's clock).
 * ARGV: 1 deposit, 2 tokens to take, 3 allowance, 4 capacity, 5 tokens a minute, 6 milliseconds to keep it.
 * Returns 1 where the tokens were taken, else 0.
 */
const CHANGE_SCRIPT = `
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local allowance = tonumber(ARGV[3])
local tokens = tonumber(known[1]) or allowance
local earned = math.max(0, at - (tonumber(known[2]) or at)) / 60000 * tonumber(ARGV[5])
if tokens < allowance then tokens = math.min(allowance, tokens + earned) end
tokens = math.min(tonumber(ARGV[4]), tokens + tonumber(ARGV[1]))
local take = tonumber(ARGV[2])
local taken = 0
if tokens >= take - 1e-9 then
  tokens = tokens - take
  taken = 1
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(at))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return taken`;

/** Buckets in Redis, under `prefix`. One round trip per change. */
export function redisBuckets(client: Redis, prefix: string): ChangeBucket {
  const { allowance, capacity, perMinute, keptMs } = BUCKET;
  client.defineCommand('turnpikeChangeBucket', { numberOfKeys: 1, lua: CHANGE_SCRIPT });
  const commands = client as unknown as {
    turnpikeChangeBucket(key: string, ...values: number[]): Promise<number>;
  };
  return async (key, deposit, take) => {
    const values = [deposit, take, allowance, capacity, perMinute, keptMs];
    return (await commands.turnpikeChangeBucket(prefix + keyPart(key), ...values)) === 1;
  };
}
