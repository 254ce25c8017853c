import { z } from 'zod';
import { importFrom, loadConfig } from './load-config.ts';

const workerSchema = z.object({
  retire: z.custom<() => Promise<void>>((value) => typeof value === 'function'),
});
const packageSchema = z.looseObject({
  startWorker: z.custom<(config: unknown) => Promise<unknown>>((value) => typeof value === 'function'),
});
const messageSchema = z.object({ type: z.literal('retire') });

const argumentSchema = z.object({ config: z.string() });
export type CodeWorkerArgument = z.infer<typeof argumentSchema>;

/** A worker with the tools of `turnpike.config.ts`. When it is told to retire, it ends with its last turn. */
const { config: path } = argumentSchema.parse(JSON.parse(process.argv[2] ?? ''));
const config = await loadConfig(path);
const { startWorker } = packageSchema.parse(await importFrom(path, '@turnpike/worker'));
let retire: (() => Promise<void>) | null = null;
let isAsked = false;
process.on('message', (message) => {
  if (!messageSchema.safeParse(message).success) return;
  isAsked = true;
  if (retire !== null) void end(retire);
});
const worker = workerSchema.parse(await startWorker(config));
retire = () => worker.retire();
if (isAsked) await end(retire);

async function end(untilIdle: () => Promise<void>): Promise<void> {
  await untilIdle();
  process.kill(process.pid, 'SIGTERM');
}
