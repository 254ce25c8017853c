import { jest } from '@jest/globals';
import { createProgram } from '../../apps/cli/src/create-program.ts';
import { describeError } from '../../apps/cli/src/failure.ts';
import { warn } from '../../apps/cli/src/say.ts';
import type { Ended } from './command-line.ts';

/** Commander's way to end: a wrong option, or its help. */
class ProcessExit extends Error {
  readonly code: number | null;

  constructor(code: unknown) {
    super('The command ended.');
    this.code = Number(code ?? 0);
  }
}

/**
 * A command, in this directory and with just this environment, without a process of its own: for what a command does,
 * in a fraction of the time. One at a time.
 */
export async function runCommand(
  words: string[],
  { folder, environment }: { folder: string; environment: Record<string, string> },
): Promise<Ended> {
  const written = { output: '', reportedErrors: '' };
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written.output += String(text);
      return true;
    }),
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      written.reportedErrors += String(text);
      return true;
    }),
    jest.spyOn(process, 'exit').mockImplementation((code) => {
      throw new ProcessExit(code);
    }),
  ];
  const before = { folder: process.cwd(), environment: process.env };
  process.env = { ...environment };
  process.chdir(folder);
  process.exitCode = 0;
  try {
    const code = await run(words);
    return { code, ...written };
  } finally {
    process.exitCode = 0;
    process.chdir(before.folder);
    process.env = before.environment;
    for (const spy of spies) spy.mockRestore();
  }
}

/** As `main.ts` does it. Returns the exit code. */
async function run(words: string[]): Promise<number | null> {
  try {
    await createProgram().parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof ProcessExit) return error.code;
    warn(describeError(error));
    return 1;
  }
}
