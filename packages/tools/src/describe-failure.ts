import type { LogFields } from '@turnpike/telemetry';

const MAX_FRAMES = 8;

/**
 * What may be logged of an error that a tool threw: its name, its code and where it was thrown. Not its message, since
 * that may repeat the input.
 */
export function describeFailure(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error_name: typeof error };
  // A tool may throw an Error whose fields are not of their types.
  const name: unknown = error.name;
  const code = 'code' in error ? error.code : undefined;
  return {
    error_name: String(name).slice(0, 64),
    ...(typeof code === 'string' && /^\w{1,64}$/.test(code) ? { error_code: code } : {}),
    error_at: framesOf(error),
  };
}

function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message);
  // The stack has the message as it was at first: it may have been changed since.
  if (start === -1) return [];
  const lines = stack.slice(start + message.length).split('\n');
  return lines
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, MAX_FRAMES);
}
