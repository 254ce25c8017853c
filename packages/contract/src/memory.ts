import type { ToolOutput } from './calls.ts';

/** Identifies one memory. */
export interface MemoryScope {
  tenantId: string;
  namespace: string;
}

/** Identifies the tool call that changes a memory, and its lease. */
export interface MemoryCallScope extends MemoryScope {
  turnId: string;
  epoch: number;
  toolCallId: string;
}

/** The files of one memory. Paths look like `/memories/notes.txt`; folders exist only as parts of paths. */
export interface MemoryReader {
  /** All files, ordered by path, with their size in bytes of UTF-8. */
  list(): Promise<{ path: string; bytes: number }[]>;
  /** Null if the file does not exist. */
  read(path: string): Promise<string | null>;
}

export interface MemoryFiles extends MemoryReader {
  /** Creates or replaces the file. Throws `MemoryFullError` if the tenant's limit is reached. */
  write(path: string, content: string): Promise<void>;
  remove(paths: readonly string[]): Promise<void>;
  /** The caller makes sure that no file exists at a new path. */
  move(moves: readonly { from: string; to: string }[]): Promise<void>;
}

export interface MemoryStore {
  /** Runs `work` with read access to this memory. */
  read<Result>(scope: MemoryScope, work: (files: MemoryReader) => Promise<Result>): Promise<Result>;
  /**
   * Runs `work` once per tool call, with exclusive access to this memory, and stores its output in the same
   * transaction. A repeated call returns the stored output. Throws `LeaseLostError` if the lease was lost by the
   * end (nothing is written then), `RetryableError` if the store is unavailable, and what `work` throws.
   */
  once(scope: MemoryCallScope, work: (files: MemoryFiles) => Promise<ToolOutput>): Promise<ToolOutput>;
}
