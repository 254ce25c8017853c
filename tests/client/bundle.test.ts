import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { build } from 'esbuild';

const entry = fileURLToPath(new URL('../../packages/client/dist/index.js', import.meta.url));

test('built for a browser, the client holds itself and its parser, and nothing of Node or of ours', async () => {
  // For the platform `browser`, esbuild refuses what only Node has.
  const { metafile, outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    platform: 'browser',
    format: 'esm',
    logLevel: 'silent',
  });
  const inputs = Object.keys(metafile.inputs).filter((path) => !path.startsWith('packages/client/dist/'));
  expect(inputs.length).toBeGreaterThan(0);
  for (const path of inputs) expect(path).toMatch(/^node_modules\/eventsource-parser\//);
  for (const { imports } of Object.values(metafile.outputs)) expect(imports).toEqual([]);
  const [bundle] = outputFiles;
  const ofNode = bundle?.text.match(/\b(process|Buffer|global|require|node:\w+)\b/g);
  expect(ofNode).toBeNull();
  expect(bundle?.contents.length).toBeLessThan(40_000);
});

test('what it depends on at run time is the parser alone', () => {
  const url = new URL('../../packages/client/package.json', import.meta.url);
  const { dependencies } = JSON.parse(readFileSync(url, 'utf8')) as { dependencies: object };
  expect(Object.keys(dependencies)).toEqual(['eventsource-parser']);
});
