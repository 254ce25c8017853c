import { setTimeout as delay } from 'node:timers/promises';
import { announceBuild, type Database, type WorkerBuild } from '@turnpike/store';
import type { Report } from '@turnpike/telemetry';

const TRY_AGAIN_MS = 2_000;

/** Announces what a worker runs, however long the database is away: a later announcement replaces one that waits. */
export class WorkerAnnouncement {
  readonly #database: Database;
  readonly #warn: Report;
  #newest: WorkerBuild | null = null;

  constructor(database: Database, warn: Report) {
    this.#database = database;
    this.#warn = warn;
  }

  /** Never rejects. The first try is over when it resolves. */
  async announce(build: WorkerBuild): Promise<void> {
    this.#newest = build;
    if (!(await this.#try(build))) void this.#retry(build);
  }

  close(): void {
    this.#newest = null;
  }

  async #retry(build: WorkerBuild): Promise<void> {
    do await delay(TRY_AGAIN_MS, undefined, { ref: false });
    while (this.#newest === build && !(await this.#try(build)));
  }

  async #try(build: WorkerBuild): Promise<boolean> {
    try {
      await announceBuild(this.#database.pool, build);
      return true;
    } catch (error) {
      this.#warn('The tools of this worker could not be announced; it is tried again.')(error);
      return false;
    }
  }
}
