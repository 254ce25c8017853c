import { tmpdir } from 'node:os';
import { CommandLine, type Ended } from '../../cli/command-line.ts';

/** Runs `turnpike` with just this environment, to its end. */
export function runTurnpike(words: string[], environment: Record<string, string>): Promise<Ended> {
  const PATH = process.env['PATH'] ?? '';
  return new CommandLine(words, { folder: tmpdir(), environment: { PATH, ...environment } }).untilEnded();
}
