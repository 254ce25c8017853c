import { ProblemError } from '@turnpike/contract';
import { EgressRefusedError } from '@turnpike/egress';
import type { Services } from './route.ts';

/** Throws `invalid_request`, at this place of the body, for a URL that no webhook is sent to. */
export function checkWebhookUrl(
  url: string | undefined,
  path: string,
  services: Pick<Services, 'checkWebhookUrl'>,
): void {
  if (url === undefined) return;
  try {
    services.checkWebhookUrl(url);
  } catch (error) {
    if (!(error instanceof EgressRefusedError)) throw error;
    throw new ProblemError('invalid_request', 'The body is not valid.', {
      issues: [{ path, message: error.message }],
    });
  }
}
