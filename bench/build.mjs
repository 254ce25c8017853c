// Builds the programs of the bench: each is one file in bench/dist, without its libraries.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: {
    main: at('src/main.ts'),
    probe: at('src/probe.ts'),
    'floor-api': at('floor/api.ts'),
    'floor-worker': at('floor/worker.ts'),
  },
  // As deep as `tests/support`, whose files find the repository by their own path.
  outdir: at('dist'),
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
});
