export type { Backplane, ConsumeOptions, JobConsumer, JobQueue } from './backplane.ts';
export type { DeliveryJob } from './delivery-job.ts';
export { BackplaneUnavailableError } from './errors.ts';
export { inspectRedis, type RedisInspection } from './inspect-redis.ts';
export { openBackplane, type BackplaneOptions } from './open-backplane.ts';
export type {
  Live,
  LiveFact,
  LivePreview,
  LiveProgress,
  LiveText,
  LiveUpdate,
  ToolProgress,
} from './live.ts';
export { PREFIX_SHAPE } from './hash-tag.ts';
export { redisSettings, redisVariables, type RedisAddress, type RedisSettings } from './redis-settings.ts';
export type { Signal } from './signal.ts';
export type { QueuedTurnJob, TurnJob } from './turn-job.ts';
export type { HandedJob, HandOvers, OfferedSlot, SlotOffers } from './hand-overs.ts';
