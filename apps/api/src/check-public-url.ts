import { ProblemError } from '@turnpike/contract';
import { EgressRefusedError, type RefusalCode } from '@turnpike/egress';
import type { Services } from './route.ts';

/** Refusals that the operator can lift; the others hold everywhere. */
const ALLOWABLE: readonly RefusalCode[] = ['address_refused', 'port_refused', 'scheme_refused'];

/** Throws `invalid_request`, at this path of the body, for a URL that no request of a tenant may be sent to. */
export function checkPublicUrl(
  url: string | undefined,
  path: string,
  services: Pick<Services, 'checkPublicUrl'>,
): void {
  if (url === undefined) return;
  try {
    services.checkPublicUrl(url);
  } catch (error) {
    if (!(error instanceof EgressRefusedError)) throw error;
    const remedy = ALLOWABLE.includes(error.code)
      ? ' The operator may allow its host with the setting EGRESS_ALLOW.'
      : '';
    throw new ProblemError('invalid_request', 'The body is not valid.', {
      issues: [{ path, message: `${error.message}${remedy}` }],
    });
  }
}
