import type { Request } from 'express';

/**
 * Where the client has reached the API, as its request says it: through a proxy that is trusted (`TRUST_PROXY`), what the
 * proxy says.
 */
export function originOf(request: Request): string {
  return `${request.protocol}://${request.host}`;
}
