import type { ToolOutput } from '@turnpike/contract';
import type { MemoryReader } from '@turnpike/contract';
import { textOutput } from '../tool.ts';
import type { MemoryCommand } from './memory-commands.ts';
import { isInside, ROOT } from './memory-path.ts';
import { numberLines } from './number-lines.ts';

const LEVELS = 2;

/** The command `view`. Its output has the wording of Anthropic's documentation of the memory tool. */
export async function viewMemory(
  files: MemoryReader,
  { path, view_range: range }: Extract<MemoryCommand, { command: 'view' }>,
): Promise<ToolOutput> {
  const content = path === ROOT ? null : await files.read(path);
  if (content !== null) return viewFile(path, content, range);
  const inside = (await files.list()).filter((file) => isInside(file.path, path));
  if (inside.length > 0 || path === ROOT) return textOutput(listFolder(path, inside));
  return textOutput(`The path ${path} does not exist. Please provide a valid path.`, true);
}

function viewFile(path: string, content: string, range: [number, number] | undefined): ToolOutput {
  const lines = content.split('\n');
  const [first, last] = [range?.[0] ?? 1, range === undefined || range[1] === -1 ? lines.length : range[1]];
  if (first < 1 || first > lines.length || last < first) {
    const within = `It should be within the range of lines of the file: [1, ${lines.length}]`;
    return textOutput(`Error: Invalid \`view_range\` parameter: [${range?.join(', ')}]. ${within}`, true);
  }
  const shown = numberLines(lines.slice(first - 1, last), first);
  return textOutput(`Here's the content of ${path} with line numbers:\n${shown}`);
}

function listFolder(path: string, inside: readonly { path: string; bytes: number }[]): string {
  /** Bytes by path, relative to the folder; a folder's ends with a slash. */
  const sizes = new Map<string, number>();
  let total = 0;
  for (const file of inside) {
    total += file.bytes;
    const names = file.path.slice(path.length + 1).split('/');
    for (const [at, name] of names.entries()) {
      if (at === LEVELS || name.startsWith('.') || name === 'node_modules') break;
      const entry = names.slice(0, at + 1).join('/') + (at === names.length - 1 ? '' : '/');
      sizes.set(entry, (sizes.get(entry) ?? 0) + file.bytes);
    }
  }
  const entries = [...sizes].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return [
    `Here're the files and directories up to ${LEVELS} levels deep in ${path}, excluding hidden items and node_modules:`,
    `${sizeOf(total)}\t${path}`,
    ...entries.map(([entry, bytes]) => `${sizeOf(bytes)}\t${path}/${entry}`),
  ].join('\n');
}

function sizeOf(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)}K`;
  return `${(bytes / 1024 / 1024).toFixed(1)}M`;
}
