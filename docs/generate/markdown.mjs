/** Notice at the top of a page that a script writes. */
export const WRITTEN =
  '<!-- Written by `npm run docs:write`. Change the source that the page names, not the page. -->';

/**
 * A table, its columns as wide as their widest cell, as the formatter has them. `rows` are lists of cells.
 * @param {string[]} head
 * @param {string[][]} rows
 */
export function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', String.raw`\|`)));
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [first, ...others] = all;
  return [
    line(first),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...others.map(line),
  ].join('\n');
}

/** @param {unknown} text */
export const code = (text) => `\`${String(text)}\``;
