import { relative } from 'node:path';
import type { BuildFailure } from 'esbuild';

export function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}

/** Each error with file, line and column: `src/tools.ts:12:5: Expected ";" but found "}"`. */
export function describeSyntaxErrors({ errors }: BuildFailure): string {
  return errors
    .map(({ location, text }) => {
      if (location === null) return text;
      const file = relative(process.cwd(), location.file);
      return `${file}:${location.line}:${location.column + 1}: ${text}`;
    })
    .join('\n');
}
