import type { ToolOutput } from '@turnpike/contract';
import type { MemoryFiles, MemoryStore } from '@turnpike/contract';

/** A memory that lasts as long as the test. `places` are those it was asked for. */
export interface MemoryInMind extends MemoryStore {
  files: Map<string, string>;
  places: unknown[];
}

export function memoryInMind(given: Record<string, string> = {}): MemoryInMind {
  const files = new Map(Object.entries(given));
  const places: unknown[] = [];
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
    places,
    read(place, work) {
      places.push(place);
      return work(access);
    },
    async once(place, work) {
      places.push(place);
      const output = outputs.get(place.toolCallId) ?? (await work(access));
      outputs.set(place.toolCallId, output);
      return output;
    },
  };
}
