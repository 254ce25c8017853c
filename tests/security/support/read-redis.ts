import { Redis } from 'ioredis';

/** Every key and every value, of every type that there is. */
export async function readRedis(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    const texts: string[] = [];
    for (const key of await redis.keys('*')) {
      texts.push(key, JSON.stringify(await readKey(redis, key)));
    }
    // As they are, and not as JSON has them.
    return texts.concat(texts.map((text) => text.replaceAll('\\"', '"').replaceAll('\\\\', '\\'))).join('\n');
  } finally {
    redis.disconnect();
  }
}

async function readKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    case 'none':
      return null;
    default:
      throw new Error(`Nothing reads the type ${type}: add it here.`);
  }
}

/** Puts a text into a value of each type. */
export async function plantInRedis(url: string, text: (type: string) => string): Promise<void> {
  const redis = new Redis(url);
  try {
    await redis.set('planted-string', text('string'));
    await redis.hset('planted-hash', 'field', text('hash'));
    await redis.rpush('planted-list', text('list'));
    await redis.sadd('planted-set', text('set'));
    await redis.zadd('planted-zset', 1, text('zset'));
    await redis.xadd('planted-stream', '*', 'field', text('stream'));
  } finally {
    redis.disconnect();
  }
}

export const REDIS_TYPES = ['string', 'hash', 'list', 'set', 'zset', 'stream'];
