// Builds `dist/cjs` from `dist` for `require`: the same modules as CommonJS, with the same types.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';

const from = fileURLToPath(new URL('../dist/', import.meta.url));
const to = join(from, 'cjs');

rmSync(to, { recursive: true, force: true });
mkdirSync(to);
writeFileSync(join(to, 'package.json'), '{ "type": "commonjs" }\n');
for (const file of readdirSync(from, { recursive: true })) {
  if (file.startsWith('cjs')) continue;
  mkdirSync(dirname(join(to, file)), { recursive: true });
  if (file.endsWith('.d.ts'))
    writeFileSync(join(to, file), withoutMap(readFileSync(join(from, file), 'utf8')));
  else if (file.endsWith('.js')) await writeCommonJs(file);
}

async function writeCommonJs(file) {
  const source = withoutMap(readFileSync(join(from, file), 'utf8'));
  const { code } = await transform(source, { format: 'cjs', target: 'es2023', platform: 'neutral' });
  writeFileSync(join(to, file), code);
}

/** Removes the reference to the source map, which belongs to the ES module. */
function withoutMap(text) {
  return text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');
}
