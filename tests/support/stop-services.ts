import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Service } from './service.ts';

export default async function stopServices(): Promise<void> {
  const registry = globalThis as { turnpikeTestServices?: Service[] };
  await Promise.all((registry.turnpikeTestServices ?? []).map((service) => service.stop()));
  const startsFile = process.env['TEST_STARTS_FILE'];
  if (startsFile !== undefined) rmSync(dirname(startsFile), { recursive: true, force: true });
}
