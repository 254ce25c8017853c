import { APICallError } from 'ai';

/** A response of the server that is none of the chat's stream. */
export class Refused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`The server responded with ${status}.`);
    this.status = status;
    this.body = body;
  }
}

export interface Explained {
  text: string;
  /** It may be gone when it is tried again. */
  isPassing: boolean;
  /** Where something would happen again, what the user agrees to that with. */
  confirmation: string | null;
}

const BROKEN: Explained = {
  text: 'The connection is broken. The answer goes on meanwhile, and the page comes back to it.',
  isPassing: true,
  confirmation: null,
};

/** What an error of the chat means, in plain words. */
export function explain(error: Error): Explained {
  const refusal = refusalOf(error);
  if (refusal !== null) {
    const { status, detail, code, confirmation } = refusal;
    const isPassing = status >= 500 || status === 408 || status === 429 || code === 'idempotency_key_in_use';
    const text = detail ?? `The server refused this (${status}).`;
    return isPassing
      ? { ...BROKEN, text: `${text} The page tries again.` }
      : { text, isPassing, confirmation };
  }
  if (error instanceof TypeError) return BROKEN;
  // Of the stream itself: why the turn failed.
  return { text: `The answer failed: ${error.message}`, isPassing: false, confirmation: null };
}

interface Refusal {
  status: number;
  detail: string | null;
  code: string | null;
  confirmation: string | null;
}

function refusalOf(error: Error): Refusal | null {
  if (error instanceof Refused) return { status: error.status, ...readProblem(error.body) };
  if (!APICallError.isInstance(error) || error.statusCode === undefined) return null;
  return { status: error.statusCode, ...readProblem(error.responseBody ?? '') };
}

function readProblem(body: string): Omit<Refusal, 'status'> {
  const problem = parseObject(body);
  const textOf = (name: string): string | null => {
    const value = problem[name];
    return typeof value === 'string' ? value : null;
  };
  return { detail: textOf('detail'), code: textOf('code'), confirmation: textOf('confirmation') };
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
