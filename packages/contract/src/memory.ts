import type { ToolOutput } from './calls.ts';

/** Whose memory. */
export interface MemoryScope {
  tenantId: string;
  namespace: string;
}

/** Which call changes it, under which lease. */
export interface MemoryCallScope extends MemoryScope {
  turnId: string;
  epoch: number;
  toolCallId: string;
}

/** The files of one memory. A path is like `/memories/notes.txt`; folders are only what paths say. */
export interface MemoryReader {
  /** All of them by path, with their size in bytes of UTF-8. */
  list(): Promise<{ path: string; bytes: number }[]>;
  /** Null for a file that is not there. */
  read(path: string): Promise<string | null>;
}

export interface MemoryFiles extends MemoryReader {
  /** Makes the file, or replaces what it says. Throws `MemoryFullError` where the tenant has no more room. */
  write(path: string, content: string): Promise<void>;
  remove(paths: readonly string[]): Promise<void>;
  /** No file lies at any of the new paths. */
  move(moves: readonly { from: string; to: string }[]): Promise<void>;
}

export interface MemoryStore {
  read<Result>(scope: MemoryScope, work: (files: MemoryReader) => Promise<Result>): Promise<Result>;
  /**
   * Does `work` once for a call, alone with this memory, in one transaction with its output: a call that
   * was made before gets the output that it had then. Throws `LeaseLostError` where the lease does not
   * hold by the end, with nothing written, `RetryableError` where the store cannot be reached, and what
   * `work` throws.
   */
  once(scope: MemoryCallScope, work: (files: MemoryFiles) => Promise<ToolOutput>): Promise<ToolOutput>;
}
