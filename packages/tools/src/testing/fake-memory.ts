import type { ToolOutput } from '@turnpike/contract';
import type { MemoryFiles, MemoryStore } from '@turnpike/contract';

/** A memory store for one test. `scopes` are those that it was called with. */
export interface FakeMemory extends MemoryStore {
  files: Map<string, string>;
  scopes: unknown[];
}

export function fakeMemory(given: Record<string, string> = {}): FakeMemory {
  const files = new Map(Object.entries(given));
  const scopes: unknown[] = [];
  const outputs = new Map<string, ToolOutput>();
  const access: MemoryFiles = {
    list: () =>
      Promise.resolve(
        [...files]
          .map(([path, content]) => ({ path, bytes: Buffer.byteLength(content) }))
          .toSorted((one, other) => (one.path < other.path ? -1 : 1)),
      ),
    read: (path) => Promise.resolve(files.get(path) ?? null),
    write: (path, content) => Promise.resolve(void files.set(path, content)),
    remove: (paths) => Promise.resolve(paths.forEach((path) => files.delete(path))),
    move(moves) {
      for (const { from, to } of moves) {
        files.set(to, files.get(from) ?? '');
        files.delete(from);
      }
      return Promise.resolve();
    },
  };
  return {
    files,
    scopes,
    read(scope, work) {
      scopes.push(scope);
      return work(access);
    },
    async once(scope, work) {
      scopes.push(scope);
      const output = outputs.get(scope.toolCallId) ?? (await work(access));
      outputs.set(scope.toolCallId, output);
      return output;
    },
  };
}
