import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { Cluster } from '../support/cluster.ts';
import { installClient, mustRun, olderCompiler, REPOSITORY, run, type Installed } from './installed.ts';
import { startSameOrigin } from './same-origin.ts';

let installed: Installed;
let cluster: Cluster;
let api: { baseUrl: string; apiKey: string };
beforeAll(async () => {
  [installed, cluster] = await Promise.all([installClient(), Cluster.join()]);
  api = { baseUrl: cluster.url, apiKey: cluster.apiKey };
});
afterAll(async () => {
  await cluster.stop();
  rmSync(installed.folder, { recursive: true, force: true });
});

/** What `useClient` sees of a service that works, whatever it was compiled to. */
const ALL_IS_WELL = {
  status: 'completed',
  isFinal: true,
  saysTheSame: true,
  lastEvent: 'turn.completed',
  listed: [true],
  hasKey: true,
  refused: { name: 'TurnpikeApiError', status: 404, code: 'not_found', text: 'TurnpikeApiError' },
  webhook: { type: 'ping', name: 'WebhookVerificationError', code: 'bad_signature' },
};
const NODE = { module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2023'], types: ['node'] };
const MAIN = `useClient(JSON.parse(process.argv[2] ?? '')).then((seen) => process.stdout.write(JSON.stringify(seen)));\n`;
const UNTYPED = `const show = async () => {
  const turnpike = new Turnpike(JSON.parse(process.argv[2]));
  const agents = await turnpike.agents.list().page();
  const error = await turnpike.turns.get('turn_00000000000000000000000000').catch((refusal) => refusal);
  return { object: agents.object, name: error.name, isOurs: error instanceof TurnpikeError };
};
show().then((seen) => process.stdout.write(JSON.stringify(seen)));\n`;
const UNTYPED_IS_WELL = { object: 'list', name: 'TurnpikeApiError', isOurs: true };

test('the packed client brings its parser along, a licence and a read me, and nothing of ours or of zod', async () => {
  expect(installed.packages).toEqual(['@turnpike/client', 'eventsource-parser']);
  const files = await mustRun('tar', ['-tzf', installed.tarball], installed.folder);
  for (const file of ['LICENSE', 'README.md', 'dist/index.d.ts', 'dist/cjs/index.d.ts']) {
    expect(files).toContain(`package/${file}\n`);
  }
  const strays = files.split('\n').filter((file) => /\.test\.|tsbuildinfo|\/build\//.test(file));
  expect(strays).toEqual([]);
  const types = await mustRun('tar', ['-xOzf', installed.tarball, '--wildcards', '*.d.ts'], installed.folder);
  expect(types).not.toMatch(/from ['"](zod|@turnpike)/);
});

test('publint and attw find nothing to say against it', async () => {
  const { folder, tarball } = installed;
  for (const words of [
    ['publint/src/cli.js', 'run', tarball, '--strict'],
    ['@arethetypeswrong/cli/dist/index.js', tarball],
  ]) {
    const [program = '', ...rest] = words;
    const ran = await run(process.execPath, [join(REPOSITORY, 'node_modules', program), ...rest], folder);
    expect(ran).toMatchObject({ code: 0 });
  }
});

test('an ESM project imports it, a CommonJS project requires it, and both reach the API', async () => {
  const esm = installed.project('esm', 'module');
  esm.write('main.js', `import { Turnpike, TurnpikeError } from '@turnpike/client';\n${UNTYPED}`);
  expect(JSON.parse(await esm.node('main.js', JSON.stringify(api)))).toEqual(UNTYPED_IS_WELL);
  const cjs = installed.project('cjs', 'commonjs');
  cjs.write('main.js', `const { Turnpike, TurnpikeError } = require('@turnpike/client');\n${UNTYPED}`);
  expect(JSON.parse(await cjs.node('main.js', JSON.stringify(api)))).toEqual(UNTYPED_IS_WELL);
});

test.each([
  ['nodenext, as a module', 'nodenext-esm', 'module', undefined],
  ['nodenext, as CommonJS', 'nodenext-cjs', 'commonjs', undefined],
  ['nodenext, by an older TypeScript', 'nodenext-older', 'module', olderCompiler()],
] as const)(
  '%s: right calls compile and run, wrong ones do not compile',
  async (_title, name, type, compiler) => {
    const project = installed.project(name, type, { ...NODE, outDir: 'out' });
    project.take('usage.mts', 'usage.ts');
    project.take('wrong-calls.mts', 'wrong-calls.ts');
    project.write('main.ts', `import { useClient } from './usage.js';\n${MAIN}`);
    expect(await project.compile(compiler)).toEqual({ code: 0, output: '' });
    expect(JSON.parse(await project.node('out/main.js', JSON.stringify(api)))).toEqual(ALL_IS_WELL);
  },
);

test('for a bundler it compiles without Node, and what is bundled runs', async () => {
  const project = installed.project('bundler', 'module', {
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2023', 'dom'],
    types: [],
    noEmit: true,
  });
  project.take('usage.mts', 'usage.ts');
  project.take('wrong-calls.mts', 'wrong-calls.ts');
  project.write('main.ts', `export { useClient } from './usage';\n`);
  expect(await project.compile()).toEqual({ code: 0, output: '' });
  project.write('entry.js', `import { useClient } from './main.ts';\n${MAIN}`);
  const entryPoints = [join(project.folder, 'entry.js')];
  const outfile = join(project.folder, 'bundle.mjs');
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' });
  expect(JSON.parse(await project.node('bundle.mjs', JSON.stringify(api)))).toEqual(ALL_IS_WELL);
});

test('minified for a page, behind a path of its own origin, it works without a key and its errors keep their names', async () => {
  const project = installed.project('browser', 'module');
  project.take('usage.mts', 'usage.ts');
  project.write('page.js', `import { useClient } from './usage.ts';\nglobalThis.useClient = useClient;\n`);
  const { outputFiles } = await build({
    entryPoints: [join(project.folder, 'page.js')],
    bundle: true,
    write: false,
    minify: true,
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    logLevel: 'silent',
  });
  const page = await startSameOrigin(api.baseUrl, api.apiKey);
  try {
    const seen = await runAsPage(outputFiles[0]?.text ?? '', page.origin);
    expect(JSON.parse(seen)).toEqual(ALL_IS_WELL);
  } finally {
    await page.stop();
  }
});

/** Runs a script with what a page has, and nothing of Node's. */
async function runAsPage(script: string, origin: string): Promise<string> {
  const page = createContext({
    location: { origin },
    AbortController,
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
    atob,
    btoa,
    clearTimeout,
    crypto,
    fetch,
    performance,
    setTimeout,
  });
  runInContext(script, page);
  const call = `useClient({ baseUrl: '/api', apiKey: null }).then(JSON.stringify)`;
  return (await runInContext(call, page)) as string;
}
