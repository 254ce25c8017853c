// Makes `dist/api.js`, `dist/worker.js`, `dist/cli.js` and the programs that the command line starts, from our own code
// in a few files instead of hundreds, and all libraries in one file beside what V8 compiles of it. Finding, reading,
// linking and compiling is most of what a start takes.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
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
const LIBRARIES_FILE = `${OUT}program/libraries.cjs`;
/** What gives the programs a library of that file. */
const LOADER = `${OUT}program/load-libraries.js`;
/** A compiled file of ours, by its path. */
const OURS = /[/\\](packages|apps)[/\\](dialects[/\\])?[^/\\]+[/\\]dist[/\\].+\.js$/;

const common = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  // Piscina's threads start from a file of its own; Prisma loads its query compiler when it is first used.
  external: ['piscina', 'esbuild', 'pg-native', '@prisma/client/runtime/query_compiler*'],
};
const ownCode = {
  ...common,
  entryPoints: Object.fromEntries(
    Object.entries({ ...PROGRAMS, ...LIBRARIES }).map(([name, path]) => [`program/${name}`, path]),
  ),
  format: 'esm',
  outdir: OUT,
};

await rm(OUT, { recursive: true, force: true });
const libraries = await findLibraries();
const { inputs } = await bundleLibraries(libraries);
await build({
  ...ownCode,
  plugins: [ownPaths(), fromLibraries(libraries, await exportsOf(libraries))],
  chunkNames: 'program/[name]-[hash]',
  splitting: true,
  sourcemap: true,
  sourcesContent: false,
});
await writeFile(`${OUT}libraries.json`, JSON.stringify(packagesOf(inputs), null, 1));
await Promise.all(
  Object.keys(PROGRAMS).map((name) =>
    writeFile(
      `${OUT}${name}.js`,
      `process.setSourceMapsEnabled(true);\nawait import('./program/${name}.js');\n`,
    ),
  ),
);
await compileLibraries();

/** The files of libraries that our code imports, by a look at our code alone. */
async function findLibraries() {
  const found = new Set();
  await build({
    ...ownCode,
    write: false,
    plugins: [
      ofLibraries((path) => {
        found.add(path);
        return { path, external: true };
      }),
    ],
  });
  return [...found].toSorted((one, other) => one.localeCompare(other, 'en'));
}

/** Has `onLibrary` resolve what our code imports that is not ours, by the path of its file. */
function ofLibraries(onLibrary) {
  return {
    name: 'of-libraries',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
        if (pluginData === 'resolving' || kind === 'entry-point') return null;
        const resolved = await resolve(path, { kind, resolveDir, importer, pluginData: 'resolving' });
        const isLibrary = !resolved.external && /[/\\]node_modules[/\\].+\.[cm]?js$/.test(resolved.path);
        return isLibrary ? onLibrary(resolved.path) : null;
      });
    },
  };
}

/** All libraries in one file, each run when it is first asked for. */
async function bundleLibraries(files) {
  const { metafile } = await build({
    ...common,
    stdin: {
      contents: `module.exports = [${files.map((file) => `() => require(${JSON.stringify(file)})`).join(', ')}];`,
      resolveDir: ROOT,
      sourcefile: 'libraries.js',
    },
    format: 'cjs',
    outfile: LIBRARIES_FILE,
    // V8 keeps no trace of who may answer an `import()` of the code that it compiled before.
    supported: { 'dynamic-import': false },
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: true,
  });
  return metafile;
}

/** The names that each library exports, as the bundle has it. */
async function exportsOf(files) {
  await copyFile(new URL('load-libraries.mjs', import.meta.url), LOADER);
  const { library } = await import(LOADER);
  return files.map((_, position) => Object.keys(library(position)));
}

/** What our code imports of a library comes from the file of all libraries. */
function fromLibraries(files, names) {
  const plugin = ofLibraries((path) => ({ path, namespace: 'library' }));
  return {
    ...plugin,
    setup(setup) {
      plugin.setup(setup);
      setup.onResolve({ filter: /^library-loader$/ }, () => ({
        path: './load-libraries.js',
        external: true,
      }));
      setup.onLoad({ filter: /./, namespace: 'library' }, async ({ path }) => {
        const position = files.indexOf(path);
        const named = names[position].filter((name) => /^[\w$]+$/.test(name) && name !== 'default');
        const contents = [
          "import { library } from 'library-loader';",
          `const all = library(${position});`,
          ...named.map((name, index) => `const e${index} = all.${name}; export { e${index} as ${name} };`),
          `export default ${(await isCommonJs(path)) ? 'all' : 'all.default'};`,
        ];
        return { contents: contents.join('\n'), resolveDir: ROOT };
      });
    },
  };
}

/**
 * Starts the API and a worker, without a database, and ends them when they are ready: so what every start runs of the
 * libraries is compiled.
 */
async function compileLibraries() {
  const env = {
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    BACKPLANE_URL: 'redis://127.0.0.1:1',
    TURNPIKE_MASTER_KEYS: `build:${randomBytes(32).toString('base64')}`,
    ANTHROPIC_API_KEY: 'none',
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
  };
  for (const name of ['api', 'worker']) {
    const program = fork(`${OUT}${name}.js`, {
      env,
      execArgv: ['--import', new URL('keep-compiled.mjs', import.meta.url).href],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    program.once('message', () => program.kill('SIGTERM'));
    await once(program, 'exit');
  }
}

/** The folders of the packages whose code is in the bundles. */
function packagesOf(files) {
  const folders = Object.keys(files).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
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

async function isCommonJs(path) {
  return !/^(import|export)\b/m.test(await readFile(path, 'utf8'));
}
