import { readdirSync, readFileSync } from 'node:fs';
import { register } from 'node:module';

const ROOT = new URL('../../../', import.meta.url);
/** The bundled programs. */
const FOLDER = new URL('../../../dist/program/', import.meta.url);

/** What the bundler writes above what it made of a file. It does so twice where imported files come in between. */
const HEADING = /^\/\/ ((?:packages|apps|node_modules)\/\S+)\n/m;

/**
 * Has the bundled program loaded with other texts in it; its files stay as they are. A text is looked for in what was
 * made of one built `file`. Throws where it is not there, or is there more than once: a test against a build that is
 * not broken after all would prove nothing.
 */
export function rewriteFiles(rewrites) {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.js'));
  const sources = names.map((name) => {
    const url = new URL(name, FOLDER);
    const [start, ...parts] = readFileSync(url, 'utf8').split(HEADING);
    return { url: url.href, start, parts: pairsOf(parts) };
  });
  const parts = sources.flatMap((source) => source.parts);
  for (const rewrite of rewrites) rewriteOnce(parts, rewrite);
  const rewritten = sources.filter((source) => source.parts.some((part) => part.isRewritten));
  // A worker with tools in code loads the files as they were built, and not the bundle.
  const files = [...new Set(rewrites.map(({ file }) => file))].map((file) => {
    const url = new URL(file, ROOT);
    const part = { file, text: readFileSync(url, 'utf8') };
    for (const rewrite of rewrites) if (rewrite.file === file) rewriteOnce([part], rewrite);
    return [url.href, part.text];
  });
  register('./rewrite-hooks.mjs', import.meta.url, {
    data: Object.fromEntries([...rewritten.map(({ url, ...source }) => [url, textOf(source)]), ...files]),
  });
}

/** `file` and `text`, one after the other. */
function pairsOf(list) {
  return list.flatMap((file, index) => (index % 2 === 0 ? [{ file, text: list[index + 1] }] : []));
}

function rewriteOnce(parts, { file, text, instead }) {
  const found = parts.filter((part) => part.file === file && part.text.includes(text));
  const count = found.reduce((sum, part) => sum + part.text.split(text).length - 1, 0);
  if (count !== 1) throw new Error(`Found ${count} times in ${file}, and wanted once: ${text}`);
  found[0].text = found[0].text.replace(text, () => instead);
  found[0].isRewritten = true;
}

function textOf({ start, parts }) {
  return [start, ...parts.map(({ file, text }) => `// ${file}\n${text}`)].join('');
}
