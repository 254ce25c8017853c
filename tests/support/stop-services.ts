import { readFileSync, rmSync } from 'node:fs';
import { fileOfRun } from './run-folder.ts';
import type { Service } from './service.ts';

export default async function stopServices(): Promise<void> {
  stopSharedCluster();
  const registry = globalThis as { turnpikeTestServices?: Service[] };
  await Promise.all((registry.turnpikeTestServices ?? []).map((service) => service.stop()));
  rmSync(fileOfRun('.'), { recursive: true, force: true });
}

/** The programs that `shared-cluster.ts` started, where a test needed them. */
function stopSharedCluster(): void {
  const pids = readFileSync(fileOfRun('pids'), { encoding: 'utf8', flag: 'a+' });
  for (const pid of pids.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}
