import {
  deleteExpiredFiles,
  recordErased,
  recordScan,
  retryScan,
  runPasses,
  takeErasedBytes,
  takeScans,
  type Database,
  type ErasedBytes,
  type Passes,
  type ScannedFile,
} from '@turnpike/store';
import type { Report } from '@turnpike/telemetry';
import { FileGoneError } from './file-storage.ts';
import type { FileScan } from './scan-file.ts';
import type { Storages } from './storages.ts';

/** Of one pass. */
const MOST_EXPIRED = 100;
const MOST_ERASED = 50;
const SCANS_AT_ONCE = 4;
/** Between two tries of a scan that gave no answer: doubled each time. */
const LEAST_WAIT_MS = 2_000;
const MOST_WAIT_MS = 300_000;
/** For the record of an answer that came in time. */
const SPARE_MS = 10_000;

/**
 * What is done for files in the background: those that expired or were not uploaded are deleted, the bytes of deleted
 * ones erased, and those that are `pending` scanned. Any number of processes may do so at once.
 */
export class FileUpkeep {
  readonly #pool: Database['pool'];
  readonly #storages: Storages;
  readonly #scan: FileScan | null;
  readonly #warn: Report;
  readonly #closing = new AbortController();
  #passes: Passes;

  constructor(parts: { pool: Database['pool']; storages: Storages; scan: FileScan | null; warn: Report }) {
    this.#pool = parts.pool;
    this.#storages = parts.storages;
    this.#scan = parts.scan;
    this.#warn = parts.warn;
    this.#passes = this.#run(null);
  }

  /** Runs a pass about every so many milliseconds. */
  start(everyMs: number): void {
    void this.#passes.stop();
    this.#passes = this.#run(everyMs);
  }

  #run(everyMs: number | null): Passes {
    const onError = this.#warn('A pass over files failed; the next one continues.');
    return runPasses({ everyMs, nudgedMs: 0, onError, pass: () => this.pass() });
  }

  /** Something was just deleted or uploaded: a pass begins now, or right after the one under way. */
  nudge(): void {
    this.#passes.nudge();
  }

  /** One pass. Throws what the database throws; a storage or a scan that is away is reported, and tried again later. */
  async pass(): Promise<void> {
    while ((await deleteExpiredFiles(this.#pool, MOST_EXPIRED)) >= MOST_EXPIRED);
    await this.#eraseAll();
    await this.#scanAll();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#passes.stop();
  }

  async #eraseAll(): Promise<void> {
    for (;;) {
      const due = await takeErasedBytes(this.#pool, MOST_ERASED, this.#storages.names);
      for (const bytes of due) await this.#erase(bytes);
      if (due.length < MOST_ERASED || this.#closing.signal.aborted) return;
    }
  }

  async #erase(bytes: ErasedBytes): Promise<void> {
    try {
      await this.#storages.of(bytes.storage).erase(bytes.key);
    } catch (error) {
      this.#warn('The bytes of a file could not be erased; it is tried again.')(error, { key: bytes.key });
      return;
    }
    await recordErased(this.#pool, bytes);
  }

  async #scanAll(): Promise<void> {
    const scan = this.#scan;
    if (scan === null) return;
    for (;;) {
      const files = await takeScans(this.#pool, SCANS_AT_ONCE, scan.timeoutMs + SPARE_MS);
      await Promise.all(files.map((file) => this.#scanOne(scan, file)));
      if (files.length < SCANS_AT_ONCE || this.#closing.signal.aborted) return;
    }
  }

  async #scanOne(scan: FileScan, { file, storage, scans }: ScannedFile): Promise<void> {
    try {
      const range = { start: 0, end: file.bytes };
      const content = this.#storages.of(storage).read(file.id, range, this.#closing.signal);
      await recordScan(this.#pool, file.id, await scan.ask(file, content));
    } catch (error) {
      // It was deleted meanwhile.
      if (error instanceof FileGoneError) return;
      this.#warn('A file could not be scanned; it is tried again.')(error, { file_id: file.id });
      await retryScan(this.#pool, file.id, Math.min(MOST_WAIT_MS, LEAST_WAIT_MS * 2 ** (scans - 1)));
    }
  }
}
