import { MemoryFullError, type ToolOutput } from '@turnpike/contract';
import type { MemoryFiles } from '@turnpike/contract';
import { textOutput } from '../tool.ts';
import { insertText, replaceText, type Edit } from './edit-text.ts';
import type { MemoryChange } from './memory-commands.ts';
import { foldersOf, isInside, MAX_PATH, ROOT } from './memory-path.ts';

export interface MemoryBounds {
  maxFiles: number;
  /** Of UTF-8, of one file. */
  maxFileBytes: number;
}

/** A command that may change files. Its output has the wording of Anthropic's documentation of the memory tool. */
export async function changeMemory(
  files: MemoryFiles,
  change: MemoryChange,
  bounds: MemoryBounds,
): Promise<ToolOutput> {
  try {
    return await applyChange(files, change, bounds);
  } catch (error) {
    // Nothing was written: the model is told, and may delete files.
    if (error instanceof MemoryFullError) return failed(`${error.message}. Delete or shorten some first`);
    throw error;
  }
}

function applyChange(files: MemoryFiles, change: MemoryChange, bounds: MemoryBounds): Promise<ToolOutput> {
  switch (change.command) {
    case 'create':
      return create(files, change.path, change.file_text, bounds);
    case 'str_replace':
      return edit(files, change.path, bounds, (content) => replaceText(content, change));
    case 'insert':
      return edit(files, change.path, bounds, (content) => insertText(content, change));
    case 'delete':
      return remove(files, change.path);
    case 'rename':
      return rename(files, change.old_path, change.new_path);
    default:
      return change satisfies never;
  }
}

async function create(
  files: MemoryFiles,
  path: string,
  content: string,
  bounds: MemoryBounds,
): Promise<ToolOutput> {
  const paths = (await files.list()).map((file) => file.path);
  if (paths.includes(path)) return failed(`File ${path} already exists`);
  const obstacle = obstacleAt(path, paths);
  if (obstacle !== null) return failed(obstacle);
  if (paths.length >= bounds.maxFiles) {
    return failed(
      `There are ${paths.length} files already, and no more are kept. Delete or merge some first`,
    );
  }
  const tooLarge = explainSize(path, content, bounds);
  if (tooLarge !== null) return failed(tooLarge);
  await files.write(path, content);
  return textOutput(`File created successfully at: ${path}`);
}

async function edit(
  files: MemoryFiles,
  path: string,
  bounds: MemoryBounds,
  change: (content: string) => Edit,
): Promise<ToolOutput> {
  const content = path === ROOT ? null : await files.read(path);
  if (content === null) return failed(`The path ${path} does not exist. Please provide a valid path.`);
  const edited = change(content);
  if ('explanation' in edited) return textOutput(edited.explanation, true);
  const tooLarge = explainSize(path, edited.content, bounds);
  if (tooLarge !== null) return failed(tooLarge);
  await files.write(path, edited.content);
  return textOutput(edited.summary);
}

async function remove(files: MemoryFiles, path: string): Promise<ToolOutput> {
  if (path === ROOT) return failed(`${ROOT} itself cannot be deleted`);
  const removed = await pathsAt(files, path);
  if (removed.length === 0) return failed(`The path ${path} does not exist`);
  await files.remove(removed);
  return textOutput(`Successfully deleted ${path}`);
}

async function rename(files: MemoryFiles, from: string, to: string): Promise<ToolOutput> {
  if (from === ROOT) return failed(`${ROOT} itself cannot be renamed`);
  const paths = (await files.list()).map((file) => file.path);
  const moved = paths.filter((path) => path === from || isInside(path, from));
  if (moved.length === 0) return failed(`The path ${from} does not exist`);
  if (to === ROOT || paths.some((path) => path === to || isInside(path, to))) {
    return failed(`The destination ${to} already exists`);
  }
  if (isInside(to, from)) return failed(`${from} cannot be moved into itself`);
  const obstacle = obstacleAt(to, paths);
  if (obstacle !== null) return failed(obstacle);
  const moves = moved.map((path) => ({ from: path, to: to + path.slice(from.length) }));
  if (moves.some((move) => move.to.length > MAX_PATH)) {
    return failed(`A path would be longer than ${MAX_PATH} characters`);
  }
  await files.move(moves);
  return textOutput(`Successfully renamed ${from} to ${to}`);
}

/** The file at a path, or the files in the folder at it. */
async function pathsAt(files: MemoryFiles, path: string): Promise<string[]> {
  const paths = (await files.list()).map((file) => file.path);
  return paths.filter((each) => each === path || isInside(each, path));
}

/** Why no file can be created at a path; null where one can. */
function obstacleAt(path: string, paths: readonly string[]): string | null {
  if (path === ROOT || paths.some((each) => isInside(each, path))) return `${path} is a directory`;
  const file = foldersOf(path).find((folder) => paths.includes(folder));
  return file === undefined ? null : `${file} is a file, not a directory`;
}

function explainSize(path: string, content: string, { maxFileBytes }: MemoryBounds): string | null {
  const bytes = Buffer.byteLength(content);
  if (bytes <= maxFileBytes) return null;
  return `File ${path} would have ${bytes} bytes, and at most ${maxFileBytes} are kept. Split it into several`;
}

function failed(explanation: string): ToolOutput {
  return textOutput(`Error: ${explanation}`, true);
}
