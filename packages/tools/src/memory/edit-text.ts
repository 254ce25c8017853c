import { numberLines } from './number-lines.ts';

/** A changed text, and a summary of the change for the model; or why it was not changed. */
export type Edit = { content: string; summary: string } | { explanation: string };

const CONTEXT_LINES = 2;
const MAX_NAMED_LINES = 20;

/** Replaces a text that occurs exactly once. */
export function replaceText(
  content: string,
  { path, old_str: old, new_str: replacement }: { path: string; old_str: string; new_str: string },
): Edit {
  const at = content.indexOf(old);
  if (at === -1) {
    const absent = `old_str \`${old}\` did not appear verbatim in ${path}.`;
    return { explanation: `No replacement was performed, ${absent}` };
  }
  if (content.includes(old, at + 1)) {
    const lines = linesOf(content, old).join(', ');
    const several = `Multiple occurrences of old_str \`${old}\` in lines: ${lines}. Please ensure it is unique`;
    return { explanation: `No replacement was performed. ${several}` };
  }
  const edited = content.slice(0, at) + replacement + content.slice(at + old.length);
  const first = Math.max(1, lineAt(edited, at) - CONTEXT_LINES);
  const last = lineAt(edited, at + replacement.length) + CONTEXT_LINES;
  const snippet = numberLines(edited.split('\n').slice(first - 1, last), first);
  return { content: edited, summary: `The memory file has been edited.\n${snippet}` };
}

/** Inserts text after a line; line 0 is the beginning. */
export function insertText(
  content: string,
  { path, insert_line: line, insert_text: text }: { path: string; insert_line: number; insert_text: string },
): Edit {
  const lines = content.split('\n');
  if (line > lines.length) {
    const within = `It should be within the range of lines of the file: [0, ${lines.length}]`;
    return { explanation: `Error: Invalid \`insert_line\` parameter: ${line}. ${within}` };
  }
  lines.splice(line, 0, text.replace(/\n$/, ''));
  return { content: lines.join('\n'), summary: `The file ${path} has been edited.` };
}

/** The number of the line at an offset. */
function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let end = text.indexOf('\n'); end !== -1 && end < offset; end = text.indexOf('\n', end + 1)) line += 1;
  return line;
}

/** The first lines in which a text begins. */
function linesOf(content: string, part: string): number[] {
  const lines = new Set<number>();
  for (let at = content.indexOf(part); at !== -1; at = content.indexOf(part, at + 1)) {
    lines.add(lineAt(content, at));
    if (lines.size === MAX_NAMED_LINES) break;
  }
  return [...lines];
}
