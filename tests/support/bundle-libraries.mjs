import { createHash } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Libraries that many test files load, of up to hundreds of modules each. Jest loads every module again for every test
 * file, so each of these is bundled, once for an install.
 */
const LIBRARIES = [
  '@anthropic-ai/bedrock-sdk',
  '@anthropic-ai/sdk',
  '@anthropic-ai/vertex-sdk',
  '@modelcontextprotocol/client',
  '@modelcontextprotocol/server',
  '@opentelemetry/api',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace-base',
  '@prisma/adapter-pg',
  'bullmq',
  'cors',
  'express',
  'fast-check',
  'ioredis',
  'pg',
  'prom-client',
  'supertest',
  'undici',
  'winston',
  'yaml',
  'zod',
  'zod/v4',
  'zod/v4/core',
];

const FOLDER = join(ROOT, 'node_modules/.cache/turnpike-test-libraries', keyOfInstall());

/** For jest: where each library is instead. */
export const libraryPaths = { [`^(${LIBRARIES.join('|')})$`]: `${FOLDER}/$1.mjs` };

/** Makes the bundles, unless this install has them. Two runs that come at once make the same. */
export async function bundleLibraries() {
  if (existsSync(FOLDER)) return;
  const made = `${FOLDER}.${process.pid}`;
  const entries = await Promise.all(LIBRARIES.map(async (name) => [name, await reexport(name)]));
  await mkdir(made, { recursive: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(LIBRARIES.map((name) => [name, `entry:${name}`])),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Each test file reads what it imports of them again.
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'error',
    outdir: made,
    outExtension: { '.js': '.mjs' },
    external: ['pg-native'],
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    plugins: [entryPoints(new Map(entries))],
  });
  await rename(made, FOLDER).catch(() => rm(made, { recursive: true }));
}

/** A module with what Node exports of a library: bundled CommonJS by itself would export a default only. */
async function reexport(name) {
  const names = Object.keys(await import(name)).filter((each) => /^[\w$]+$/.test(each) && each !== 'default');
  return [
    `import * as library from ${JSON.stringify(name)};`,
    ...names.map((each, index) => `const e${index} = library.${each}; export { e${index} as ${each} };`),
    'export default library.default;',
  ].join('\n');
}

function entryPoints(sources) {
  return {
    name: 'entry-points',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^entry:/ }, ({ path }) => ({
        path: path.slice('entry:'.length),
        namespace: 'entry',
      }));
      onLoad({ filter: /./, namespace: 'entry' }, ({ path }) => ({
        contents: sources.get(path),
        resolveDir: ROOT,
      }));
    },
  };
}

function keyOfInstall() {
  const hash = createHash('sha256');
  for (const file of [join(ROOT, 'package-lock.json'), fileURLToPath(import.meta.url)])
    hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
