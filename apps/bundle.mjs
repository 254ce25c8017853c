// Makes `dist/api.js`, `dist/worker.js`, `dist/cli.js` and the programs that the command line starts, each with its libraries in a few
// files instead of more than a thousand. Finding, reading and linking so many files is most of what a start takes.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const OUT = fileURLToPath(new URL('../dist/', import.meta.url));
const PROGRAMS = {
  api: 'apps/api/dist/main.js',
  worker: 'apps/worker/dist/main.js',
  cli: 'apps/cli/dist/main.js',
  ...Object.fromEntries(
    ['postgres', 'redis', 'simulator', 'code-worker', 'describe-config'].map((name) => [
      name,
      `apps/cli/dist/programs/${name}.js`,
    ]),
  ),
};
/** What the published packages export. */
const LIBRARIES = {
  'worker-library': 'packages/worker/dist/index.js',
  'testing-library': 'apps/testing/dist/index.js',
};
/** A compiled file of ours, by its path. */
const OURS = /[/\\](packages|apps)[/\\](dialects[/\\])?[^/\\]+[/\\]dist[/\\].+\.js$/;

const common = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  // What `libraries` imports for no use of its own.
  logOverride: { 'ignored-bare-import': 'silent' },
  // Piscina's threads start from a file of its own; Prisma loads its query compiler when it is first used.
  external: ['piscina', 'esbuild', 'pg-native', '@prisma/client/runtime/query_compiler*'],
};
const entryPoints = Object.fromEntries(
  Object.entries({ ...PROGRAMS, ...LIBRARIES }).map(([name, path]) => [`program/${name}`, path]),
);

await rm(OUT, { recursive: true, force: true });
const { metafile } = await build({
  ...common,
  entryPoints: { ...entryPoints, libraries: 'libraries' },
  plugins: [ownPaths(), namesOfLazyLibraries(), entryOfLibraries(await findLibraries())],
  outdir: OUT,
  chunkNames: 'program/[name]-[hash]',
  splitting: true,
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  // Libraries that are CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
});
await writeFile(`${OUT}libraries.json`, JSON.stringify(packagesOf(metafile), null, 1));
await Promise.all(Object.entries(metafile.outputs).map(([path, { inputs }]) => dropLibraryMap(path, inputs)));
await Promise.all(
  Object.keys(PROGRAMS).map((name) =>
    writeFile(
      `${OUT}${name}.js`,
      `process.setSourceMapsEnabled(true);\nawait import('./program/${name}.js');\n`,
    ),
  ),
);

/** The folders of the packages whose code is in the bundles. */
function packagesOf({ inputs }) {
  const files = Object.keys(inputs).filter((path) => !path.startsWith('lazy:'));
  const folders = files.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return [...new Set(folders)].toSorted();
}

/** Code that reads files beside itself goes on reading them there, and not beside the bundle. */
function ownPaths() {
  return {
    name: 'own-paths',
    setup({ onLoad }) {
      onLoad({ filter: OURS }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        if (!source.includes('import.meta.url')) return null;
        const own = JSON.stringify(relative(`${OUT}program`, path).replaceAll(sep, '/'));
        return { contents: source.replaceAll('import.meta.url', `new URL(${own}, import.meta.url).href`) };
      });
    },
  };
}

/**
 * `import()` of a library in CommonJS gives its exports by their names, as Node does. The bundler alone would give
 * `default` and nothing else. The library is run once here, for the names.
 */
function namesOfLazyLibraries() {
  const require = createRequire(import.meta.url);
  return {
    name: 'names-of-lazy-libraries',
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: /./ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
        if (kind !== 'dynamic-import' || pluginData === 'resolving') return null;
        const resolved = await resolve(path, { kind, resolveDir, importer, pluginData: 'resolving' });
        const isLibrary = !resolved.external && /[/\\]node_modules[/\\].+\.c?js$/.test(resolved.path);
        if (!isLibrary || !(await isCommonJs(resolved.path))) return null;
        return { path: resolved.path, namespace: 'lazy' };
      });
      onLoad({ filter: /./, namespace: 'lazy' }, ({ path }) => {
        const names = Object.keys(require(path)).filter(
          (name) => /^[\w$]+$/.test(name) && name !== 'default',
        );
        const source = JSON.stringify(path);
        return {
          contents: `import { ${names.join(', ')} } from ${source};\nexport { ${names.join(', ')} };\nexport { default } from ${source};\n`,
          resolveDir: dirname(path),
        };
      });
    },
  };
}

async function isCommonJs(path) {
  return !/^(import|export)\b/m.test(await readFile(path, 'utf8'));
}

/** The files of libraries that our code imports at once, by a look at our code alone. */
async function findLibraries() {
  const found = new Set();
  await build({
    ...common,
    entryPoints,
    outdir: OUT,
    write: false,
    plugins: [
      {
        name: 'find-libraries',
        setup({ onResolve, resolve }) {
          onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
            if (pluginData === 'resolving' || kind === 'entry-point') return null;
            const resolved = await resolve(path, { kind, resolveDir, pluginData: 'resolving' });
            if (resolved.external || OURS.test(resolved.path)) return null;
            if (kind === 'import-statement') found.add(resolved.path);
            return { path, external: true };
          });
        },
      },
    ],
  });
  return [...found];
}

/**
 * The entry `libraries` imports what `files` are. Code that several entries reach goes into a chunk for exactly these
 * entries: so no chunk has both our code and that of libraries.
 */
function entryOfLibraries(files) {
  return {
    name: 'libraries',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^libraries$/ }, ({ path }) => ({ path, namespace: 'libraries' }));
      onLoad({ filter: /./, namespace: 'libraries' }, () => ({
        contents: files.map((file) => `import ${JSON.stringify(file)};\n`).join(''),
        resolveDir: ROOT,
      }));
    },
  };
}

/** A source map that is ten times as large as that of our own code is not worth reading at every start. */
async function dropLibraryMap(path, inputs) {
  if (path.endsWith('.map') || Object.keys(inputs).some((input) => OURS.test(`/${input}`))) return;
  const file = `${ROOT}${path}`;
  const isEntry = path === 'dist/libraries.js';
  await rm(`${file}.map`);
  if (isEntry) await rm(file);
  else await writeFile(file, (await readFile(file, 'utf8')).replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'));
}
