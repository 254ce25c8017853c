import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  constants,
  readdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isThere, readRun, type KnownProcess } from '../../apps/cli/src/children/run-file.ts';
import { countStart } from '../support/count-start.ts';
import { makeScratchFolder } from '../support/scratch-folder.ts';
import { untilTrue } from '../support/until-true.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Ended {
  code: number | null;
  output: string;
  reportedErrors: string;
}

/** `turnpike`, as a real process in a terminal of its own. */
export class CommandLine {
  readonly folder: string;
  readonly process: ChildProcess;
  output = '';
  reportedErrors = '';
  /** All that `start` had running, as far as it was looked at. */
  started: KnownProcess[] = [];
  readonly #ended: Promise<unknown>;

  constructor(words: string[], options: { folder: string; environment: Record<string, string> }) {
    this.folder = options.folder;
    countStart('cli');
    this.process = spawn(process.execPath, [MAIN, ...words], {
      cwd: options.folder,
      env: options.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      // As a shell does: a process group that the terminal's Ctrl-C goes to.
      detached: true,
    });
    this.process.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.reportedErrors += chunk.toString();
    });
    this.#ended = once(this.process, 'close');
  }

  get isOver(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits for a text on standard output, and looks at what runs by then. */
  async untilSaid(text: string): Promise<void> {
    await untilTrue(
      `"${text}" in:\n${this.output}\n${this.reportedErrors}`,
      () => {
        if (this.output.includes(text)) return true;
        if (this.isOver) throw new Error(`It ended first:\n${this.output}\n${this.reportedErrors}`);
        return false;
      },
      300_000,
    );
    this.look();
  }

  /** Up to the point where the person at the terminal can go on. */
  async untilUp(): Promise<void> {
    await this.untilSaid('Ctrl-C stops everything');
  }

  /** The processes that run now. */
  look(): KnownProcess[] {
    const running = readRun(join(this.folder, '.turnpike/running.json'))?.children ?? [];
    const known = new Map([...this.started, ...running].map((one) => [`${one.pid} ${one.identity}`, one]));
    this.started = [...known.values()];
    return running;
  }

  /** One of the processes that run now. */
  running(name: string): KnownProcess {
    const found = this.look().find((known) => known.name === name);
    if (found === undefined) throw new Error(`There is no ${name}.`);
    return found;
  }

  /** What the terminal does on Ctrl-C. */
  pressCtrlC(): void {
    if (this.process.pid !== undefined && !this.isOver) process.kill(-this.process.pid, 'SIGINT');
  }

  async untilEnded(): Promise<Ended> {
    await this.#ended;
    return { code: this.process.exitCode, output: this.output, reportedErrors: this.reportedErrors };
  }

  async stop(): Promise<Ended> {
    this.look();
    this.pressCtrlC();
    return this.untilEnded();
  }

  /** Those that outlived it, known or not. */
  left(): string[] {
    const known = this.started.filter(isThere);
    const pids = new Set(known.map(({ pid }) => String(pid)));
    const others = atWorkIn(this.folder).filter((pid) => !pids.has(pid));
    return [...known.map(({ name }) => name), ...others.map((pid) => `process ${pid}`)];
  }

  /** What it said after a label: of a list, or of a curl line. */
  found(pattern: RegExp): string {
    const [, value] = pattern.exec(this.output) ?? [];
    if (value === undefined) throw new Error(`No ${pattern} in:\n${this.output}`);
    return value;
  }

  /** The shell lines that it printed to go on with. */
  get shellLines(): string {
    const lines = this.output.split('\n').map((line) => line.trim());
    return lines.filter((line) => /^(KEY=|curl )/.test(line)).join(' && echo && ');
  }

  async key(): Promise<string> {
    return (await readFile(join(this.folder, '.turnpike/development-key'), 'utf8')).trim();
  }
}

/** Processes that work in this folder, known or not; where the machine tells. */
function atWorkIn(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch {
      // It has ended, or belongs to another user.
      return false;
    }
  });
}

/** A directory as a person has it: others may enter it. */
export function projectFolder(): string {
  const folder = realpathSync(makeScratchFolder('turnpike-test-cli-'));
  chmodSync(folder, 0o755);
  return folder;
}

/** A search path with the tools of a bare machine, which has no `redis-server`. */
export function barePath(folder: string): string {
  const tools = ['node', 'sh', 'cat', 'curl', 'id', 'ps', 'chmod', 'groupadd', 'useradd'];
  for (const tool of tools) {
    const path = findProgram(tool);
    if (path !== undefined) symlinkSync(path, join(folder, tool));
  }
  return folder;
}

/** Where a program is on this machine's search path. */
export function findProgram(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
