import { register } from 'node:module';

const ROOT = new URL('../../../', import.meta.url);

/**
 * Has built files loaded with other texts in them; the files themselves stay as they are.
 * Throws where a text is not there, or is there more than once: a test against a build that is not
 * broken after all would prove nothing.
 */
export async function rewriteFiles(rewrites) {
  const byUrl = rewrites.map(({ file, ...rest }) => ({ url: new URL(file, ROOT).href, ...rest }));
  register('./rewrite-hooks.mjs', import.meta.url, { data: byUrl });
  // Loaded now, so that what cannot be rewritten ends the process, also if nothing would load it.
  for (const { url } of byUrl) await import(url);
}
