// Makes the files of the console in `dist/site`, and compresses them, since they are compressed once and sent often.
// Nothing is made again where nothing changed.
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../..');
const SITE = join(HERE, 'dist/site');
const STAMP = join(HERE, 'dist/inputs');
const COMPRESSED = /\.(js|css|html|svg)$/;

const inputs = await hashInputs();
if ((await readFile(STAMP, 'utf8').catch(() => '')) !== inputs) {
  // Loaded only here: to look whether something changed is quicker without.
  const { build } = await import('vite');
  const { output } = await build({
    root: HERE,
    base: '/console/',
    configFile: false,
    logLevel: 'warn',
    build: {
      outDir: SITE,
      emptyOutDir: true,
      target: 'es2023',
      modulePreload: { polyfill: false },
      // Inline, it would be a URL that the policy of the page refuses.
      assetsInlineLimit: 0,
      rolldownOptions: {
        // Libraries mark modules for servers that render, of which there is none.
        onwarn: (warning, warn) => warning.code === 'MODULE_LEVEL_DIRECTIVE' || warn(warning),
      },
    },
  });
  await writeLibraries(output);
  await compress();
  await writeFile(STAMP, inputs);
}

/** Of all that the site is made of, and of this script. */
async function hashInputs() {
  const hash = createHash('sha256');
  const folders = [join(HERE, 'src'), join(ROOT, 'packages/client/dist')];
  const files = [join(HERE, 'build.mjs'), join(HERE, 'index.html'), join(ROOT, 'package-lock.json')];
  for (const folder of folders)
    for (const path of await readdir(folder, { recursive: true }))
      if (/\.(tsx?|css|js|svg)$/.test(path)) files.push(join(folder, path));
  for (const file of files.toSorted()) hash.update(`${relative(ROOT, file)}\0`).update(await readFile(file));
  return hash.digest('hex');
}

/** The folders of the packages whose code is in the site, for the notices of licences. */
async function writeLibraries(output) {
  const modules = output.flatMap(({ moduleIds = [] }) => moduleIds).map((id) => relative(ROOT, id));
  const folders = modules.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  await writeFile(
    join(HERE, 'dist/libraries.json'),
    JSON.stringify(
      [...new Set(folders)].toSorted((one, other) => one.localeCompare(other)),
      null,
      1,
    ),
  );
}

async function compress() {
  for (const path of await readdir(SITE, { recursive: true })) {
    if (!COMPRESSED.test(path)) continue;
    const file = join(SITE, path);
    const bytes = await readFile(file);
    const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    await writeFile(`${file}.br`, brotliCompressSync(bytes, { params }));
    await writeFile(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}
