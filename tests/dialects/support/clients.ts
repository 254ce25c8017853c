import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a script beside this file printed, as JSON: it uses an official client, in a process of its own. */
export async function runClient(
  script: string,
  settings: { url: string; apiKey: string; client?: string; input?: object; node?: string },
): Promise<unknown> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(settings.node ?? process.execPath, ['--no-warnings', path], {
    env: {
      PATH: process.env['PATH'],
      BASE_URL: `${settings.url}/openai/v1`,
      OPENAI_API_KEY: settings.apiKey,
      CLIENT: settings.client ?? 'openai',
      INPUT: JSON.stringify(settings.input ?? {}),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${complaints}`);
  return JSON.parse(printed);
}
