import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { ConfigMessage } from '../project/config-message.ts';
import { describeConfigError } from '../project/describe-config-error.ts';

/** The parts of `defineConfig`'s result that are needed here. */
const configSchema = z.looseObject({
  type: z.literal('config'),
  tools: z.array(z.looseObject({ name: z.string() })),
  agents: z.array(z.looseObject({ name: z.string(), body: z.record(z.string(), z.unknown()) })),
});

/** Imports a config and tells the parent process what it defines, or why it cannot be used; then this process ends. */
export async function loadConfig(path: string): Promise<unknown> {
  try {
    const module: unknown = await import(pathToFileURL(path).href);
    const config: unknown =
      module !== null && typeof module === 'object' && 'default' in module ? module.default : null;
    const parsed = configSchema.safeParse(config);
    if (!parsed.success) throw new TypeError('Its default export must be what defineConfig() returns.');
    const { agents, tools } = parsed.data;
    await tell({
      type: 'config',
      agents: agents.map(({ name, body }) => ({ name, body })),
      tools: tools.map(({ name }) => name),
    });
    return config;
  } catch (error) {
    // It may be written later.
    const missing = /^Cannot find module '([^']+)'/.exec(error instanceof Error ? error.message : '')?.[1];
    if (missing !== undefined) await tell({ type: 'missing', path: missing });
    await tell({ type: 'failed', message: describeConfigError(error) });
    return process.exit(1);
  }
}

/** What a package of the project exports: another copy of it would have other classes. */
export async function importFrom(path: string, name: string): Promise<unknown> {
  return import(pathToFileURL(createRequire(path).resolve(name)).href);
}

function tell(message: ConfigMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });
}
