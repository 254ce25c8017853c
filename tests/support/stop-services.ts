import type { Service } from './service.ts';

export default async function stopServices(): Promise<void> {
  const registry = globalThis as { turnpikeTestServices?: Service[] };
  await Promise.all((registry.turnpikeTestServices ?? []).map((service) => service.stop()));
}
