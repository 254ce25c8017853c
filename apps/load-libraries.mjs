// Copied beside `libraries.cjs` by `bundle.mjs`.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const FILE = fileURLToPath(new URL('libraries.cjs', import.meta.url));
/** What V8 made of that file. It is of one version of V8, and any other leaves it unused. */
const COMPILED = `${FILE}.compiled`;

const script = new Script(`(function (module, require) {${readFileSync(FILE, 'latin1')}\n})`, {
  filename: FILE,
  ...(existsSync(COMPILED) ? { cachedData: readFileSync(COMPILED) } : {}),
});
const bundle = { exports: [] };
script.runInThisContext()(bundle, createRequire(FILE));

/** The exports of a library, by its position in the bundle. A library runs when it is first asked for. */
export const library = (position) => bundle.exports[position]();

/** Keeps what V8 has compiled of the libraries until now, for the processes that start later. */
export const keepCompiled = () => writeFileSync(COMPILED, script.createCachedData());
