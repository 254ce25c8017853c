import { RetryableError } from '@turnpike/contract';
import type { FileStorageName } from '@turnpike/store';
import type { FileStorage } from './file-storage.ts';

/** Where files are: new ones in one place, older ones where they were stored. */
export class Storages {
  readonly #all: readonly [FileStorage, ...FileStorage[]];

  /** The first takes new files. */
  constructor(all: readonly [FileStorage, ...FileStorage[]]) {
    this.#all = all;
  }

  get ofNewFiles(): FileStorage {
    return this.#all[0];
  }

  get names(): FileStorageName[] {
    return this.#all.map(({ name }) => name);
  }

  /** Throws `RetryableError` where this process knows no such storage. */
  of(name: FileStorageName): FileStorage {
    const storage = this.#all.find((each) => each.name === name);
    if (storage !== undefined) return storage;
    throw new RetryableError('file_storage_unknown', `The file storage ${name} is not configured here.`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((storage) => storage.close()));
  }
}
