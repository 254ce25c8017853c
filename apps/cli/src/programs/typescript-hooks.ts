import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { LoadHook, ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import { transform } from 'esbuild';
import { describeSyntaxErrors, isBuildFailure } from '../project/syntax-errors.ts';

const IS_TYPESCRIPT = /\.(ts|mts|tsx)$/;
const IS_INSTALLED = /[/\\]node_modules[/\\]/;
/** What may stand in an import for a TypeScript file, in order. */
const REPLACEMENTS: [RegExp, string][] = [
  [/\.js$/, '.ts'],
  [/\.mjs$/, '.mts'],
  [/\.jsx$/, '.tsx'],
  [/$/, '.ts'],
  [/$/, '/index.ts'],
];

let files: MessagePort | undefined;

export function initialize({ port }: { port: MessagePort }): void {
  files = port;
}

/** As Node does; where that file is not there, the TypeScript file that it would be compiled from. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    return await nextResolve(specifier, context);
  } catch (error) {
    const url = findTypeScript(specifier, context.parentURL);
    if (url === null) throw error;
    return nextResolve(url, context);
  }
};

/** Removes the types, and keeps a map to the source. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const path = url.startsWith('file:') ? fileURLToPath(url) : null;
  if (path !== null && !IS_INSTALLED.test(path)) files?.postMessage(path);
  if (path === null || !IS_TYPESCRIPT.test(path)) return nextLoad(url, context);
  try {
    const { code } = await transform(await readFile(path, 'utf8'), {
      loader: path.endsWith('x') ? 'tsx' : 'ts',
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
      sourcefile: path,
      logLevel: 'silent',
    });
    return { format: 'module', source: code, shortCircuit: true };
  } catch (error) {
    throw isBuildFailure(error) ? new SyntaxError(describeSyntaxErrors(error)) : error;
  }
};

function findTypeScript(specifier: string, parent: string | undefined): string | null {
  if (parent === undefined || !/^(\.{1,2}\/|file:)/.test(specifier)) return null;
  for (const [ending, replacement] of REPLACEMENTS) {
    const url = new URL(specifier.replace(ending, replacement), parent);
    if (ending.test(specifier) && existsSync(url)) return url.href;
  }
  return null;
}
