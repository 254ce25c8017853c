// Generates `src/wire/contract.ts`: the types of the contract that the client's sources import. The published client
// does not depend on the contract, which is private and needs Zod.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { TypeWriter } from './write-types.mjs';

const sources = fileURLToPath(new URL('../src/', import.meta.url));
const made = join(sources, 'wire/contract.ts');
const entry = fileURLToPath(new URL('../../contract/src/index.ts', import.meta.url));

const contract = await loadContract();
const { types, schemas } = findNames();
const writer = new TypeWriter();
for (const type of types)
  writer.declare(type, schemaOf(`${type.replace(/^./, (first) => first.toLowerCase())}Schema`), 'output');
const constants = [...schemas]
  .toSorted(([one], [other]) => byName(one, other))
  .map(([name, sides]) => {
    const input = sides.has('Input') ? writer.write(schemaOf(name), 'input') : 'never';
    const output = sides.has('Output') ? writer.write(schemaOf(name), 'output') : 'never';
    return `export declare const ${name}: Wire<${input}, ${output}>;`;
  });
const text = `// Made from packages/contract by packages/client/build/generate.mjs: do not edit.

/** The request and response types of a schema. */
interface Wire<Input, Output> {
  _zod: { input: Input; output: Output };
}

${[...writer.declarations, ...constants].join('\n\n')}
`;
// An unchanged file is not written, so that it need not be compiled again.
if (read(made) !== text) writeFileSync(made, text);

/** Bundles and imports the contract's sources, because it may not be built yet. */
async function loadContract() {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
  const code = outputFiles[0].contents;
  return import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
}

/** The names that the sources import from the generated file: types, and schemas with the sides that are used. */
function findNames() {
  const found = { types: new Set(), schemas: new Map() };
  for (const file of readdirSync(sources, { recursive: true })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts') || join(sources, file) === made) continue;
    const source = readFileSync(join(sources, file), 'utf8');
    const imports = source.matchAll(/(?:import|export) type \{([^}]*)\} from '([^']+)'/g);
    for (const [, names, from] of imports) {
      if (join(dirname(join(sources, file)), from) !== made) continue;
      for (const name of names
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)) {
        if (name.endsWith('Schema')) found.schemas.set(name, found.schemas.get(name) ?? new Set());
        else found.types.add(name);
      }
    }
    for (const [, side, name] of source.matchAll(/\b(Input|Output)<\s*typeof (\w+)/g)) {
      found.schemas.set(name, (found.schemas.get(name) ?? new Set()).add(side));
    }
  }
  return found;
}

function byName(one, other) {
  return one < other ? -1 : 1;
}

function schemaOf(name) {
  const schema = contract[name];
  if (schema === undefined) throw new Error(`The contract has no ${name}.`);
  return schema;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
