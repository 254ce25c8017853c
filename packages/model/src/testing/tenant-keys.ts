import type { ModelAccess, SecretDestination } from '@turnpike/contract';
import { Secret } from '@turnpike/telemetry';
import type { ModelSecrets } from '../key-values.ts';
import { errorBody, type ReceivedRequest, type ScriptedResponse, textMessage } from './scripted-api.ts';

/** For tests: a tenant's secrets, which the test may change, and how often each was read. */
export class TenantSecrets implements ModelSecrets {
  readonly values: Map<string, string>;
  readonly reads: string[] = [];
  /** Thrown instead of a response. */
  failure: Error | null = null;

  constructor(values: Record<string, string>) {
    this.values = new Map(Object.entries(values));
  }

  async read(_tenantId: string, name: string, _destination: SecretDestination): Promise<Secret | null> {
    this.reads.push(name);
    if (this.failure !== null) throw this.failure;
    const value = this.values.get(name);
    return value === undefined ? null : new Secret(value);
  }
}

/** For tests: what a turn of a tenant with these keys brings along. */
export function accessWith(keys: string[], more: Partial<ModelAccess> = {}): ModelAccess {
  return { keys, baseUrl: null, auth: 'x-api-key', operatorKey: false, ...more };
}

/** The key that a request was sent with, in whichever header. */
export function keyOf({ headers }: ReceivedRequest): string {
  return String(headers['x-api-key'] ?? headers.authorization?.replace('Bearer ', ''));
}

/** For tests: an API that answers each key as it is told, and any other well. */
export function byKey(
  responses: Record<string, ScriptedResponse | (() => ScriptedResponse)>,
): (request: ReceivedRequest) => ScriptedResponse {
  return (request) => {
    const response = responses[keyOf(request)];
    return (typeof response === 'function' ? response() : response) ?? { body: textMessage('Hel', 'lo.') };
  };
}

export const REFUSED: ScriptedResponse = {
  status: 401,
  body: errorBody('authentication_error', 'invalid x-api-key'),
};

/** Too many requests; come back after so many seconds. */
export function limited(seconds?: number): ScriptedResponse {
  const headers: Record<string, string> = seconds === undefined ? {} : { 'retry-after': String(seconds) };
  return { status: 429, headers, body: errorBody('rate_limit_error', 'Too many.') };
}
