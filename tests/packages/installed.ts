import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const PROJECTS = fileURLToPath(new URL('projects/', import.meta.url));
const TSC = join(REPOSITORY, 'node_modules/typescript/bin/tsc');

export interface Ran {
  code: number;
  output: string;
}

/** Runs a program to its end; what it writes to both outputs is one text. */
export function run(program: string, words: string[], folder: string): Promise<Ran> {
  const settings = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(program, words, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: stdout + stderr });
    });
  });
}

/** As `run`, of a program that must succeed. Returns its output. */
export async function mustRun(program: string, words: string[], folder: string): Promise<string> {
  const { code, output } = await run(program, words, folder);
  if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${code}:\n${output}`);
  return output;
}

/** A folder outside of the repository in which the packed client is installed as a user does it. */
export interface Installed {
  folder: string;
  tarball: string;
  /** The names of all that came with it, its own among them. */
  packages: string[];
  /** A project below it, with its files and, where it has one, its `tsconfig.json`. */
  project(name: string, type: 'module' | 'commonjs', settings?: Record<string, unknown>): Project;
}

export interface Project {
  folder: string;
  /** One of `projects/`, under this name. */
  take(file: string, name: string): void;
  write(name: string, text: string): void;
  /** Compiles it, strictly and libraries included; of TypeScript 7 unless another is named. */
  compile(compiler?: string): Promise<Ran>;
  node(file: string, ...words: string[]): Promise<string>;
}

/** Packs and installs without the network: what the client depends on is packed from what is installed here. */
export async function installClient(): Promise<Installed> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'turnpike-test-packages-')));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const pack = async (path: string): Promise<string> => {
    const words = [
      'pack',
      '--json',
      '--ignore-scripts',
      '--pack-destination',
      folder,
      join(REPOSITORY, path),
    ];
    const [packed] = JSON.parse(await mustRun('npm', words, folder)) as { filename: string }[];
    return `./${packed?.filename.replace('@', '').replace('/', '-') ?? ''}`;
  };
  const tarball = await pack('packages/client');
  const parser = await pack('node_modules/eventsource-parser');
  const quietly = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await mustRun('npm', ['install', ...quietly, tarball, parser], folder);
  const listed = await mustRun('npm', ['ls', '--all', '--parseable'], folder);
  const packages = listed.trim().split('\n').slice(1);
  mkdirSync(join(folder, 'node_modules/@types'));
  symlinkSync(join(REPOSITORY, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
  return {
    folder,
    tarball: join(folder, tarball),
    packages: packages.map((path) => path.replace(/^.*node_modules\//, '')).toSorted(),
    project(name, type, settings) {
      const ofProject = join(folder, name);
      mkdirSync(ofProject);
      const write = (file: string, text: string): void => writeFileSync(join(ofProject, file), text);
      write('package.json', JSON.stringify({ name, private: true, type }));
      if (settings !== undefined) write('tsconfig.json', JSON.stringify(strictly(settings)));
      return {
        folder: ofProject,
        write,
        take: (file, as) => cpSync(join(PROJECTS, file), join(ofProject, as)),
        compile: (compiler = TSC) => run(process.execPath, [compiler, '-p', ofProject], ofProject),
        node: (file, ...words) => mustRun(process.execPath, [file, ...words], ofProject),
      };
    },
  };
}

/** TypeScript as it was some years ago: one that `attw` brings. */
export function olderCompiler(): string {
  const ofAttw = createRequire(join(REPOSITORY, 'node_modules/@arethetypeswrong/core/package.json'));
  return ofAttw.resolve('typescript/bin/tsc');
}

function strictly(settings: Record<string, unknown>): unknown {
  return {
    compilerOptions: {
      target: 'es2022',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      ...settings,
    },
  };
}
