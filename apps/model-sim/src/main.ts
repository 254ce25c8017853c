import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { readConfig } from './config.ts';
import { NOTICE } from './make-app.ts';
import { scriptSchema } from './script.ts';
import { startModelSim } from './start-model-sim.ts';

try {
  await run();
} catch (error) {
  const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
  process.stderr.write(`${JSON.stringify({ level: 'error', message })}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const config = readConfig();
  const script =
    config.SCRIPT === undefined ? {} : scriptSchema.parse(JSON.parse(await readFile(config.SCRIPT, 'utf8')));
  const sim = await startModelSim({
    port: config.PORT,
    host: config.HOST,
    controlPort: config.CONTROL_PORT,
    script,
  });
  say({ level: 'info', message: NOTICE, url: sim.url, control_url: sim.controlUrl, simulation: true });

  const stop = (signal: NodeJS.Signals): void => {
    say({ level: 'info', message: 'stopping', signal });
    void sim.close();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
