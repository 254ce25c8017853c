/**
 * What a tool's code threw, as an `Error` that can be looked at. Code may throw anything: a text, an object whose fields
 * throw when they are read, a proxy. An error of any class stays as it is where all of it can be read.
 */
export function readableError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error && isReadable(thrown)) return thrown;
    return new Error(textOf(thrown));
  } catch {
    return new Error('');
  }
}

/** Throws what a field throws that is read here. */
function isReadable(error: Error): boolean {
  const fields: unknown[] = [error.name, error.message, error.stack ?? ''];
  void error.cause;
  if ('code' in error) void error.code;
  return fields.every((field) => typeof field === 'string');
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  return typeof thrown === 'number' || typeof thrown === 'boolean' ? String(thrown) : '';
}
