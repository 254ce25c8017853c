import { setTimeout as delay } from 'node:timers/promises';
import {
  Worker,
  type ConnectionOptions,
  type IQueueBackend,
  type Job,
  type JobProgress,
  type RedisQueueBackend,
} from 'bullmq';

/** The pause after the server refused to hand out a job. */
const PAUSE_MS = 1_000;

/**
 * BullMQ's worker retries at once when its server refuses (a replica, a full server, a missing right): thousands of
 * times a second, each with an error. This one pauses first.
 */
export class PatientWorker<
  Backend extends IQueueBackend = RedisQueueBackend,
  Connection = ConnectionOptions,
> extends Worker<unknown, void, string, Backend, JobProgress, Connection> {
  protected override async moveToActive(token: string, name?: string): Promise<Job<unknown, void>> {
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      await delay(PAUSE_MS);
      throw error;
    }
  }
}
