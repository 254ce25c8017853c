import { checkDestination } from './check-destination.ts';
import { EgressRefusedError } from './errors.ts';
import { type EgressPolicy, parsePolicy } from './policy.ts';

/**
 * Returns a check of URLs that are given long before they are requested: all that can be said of one without
 * asking a resolver, and that it is https, unless its very host is on the policy's allow-list. What it lets
 * through is still guarded at each connection. It throws `EgressRefusedError`.
 * Throws a `ZodError` or a `TypeError` for a policy that cannot be read.
 */
export function createSecureUrlCheck(policy: EgressPolicy): (url: string) => void {
  const rules = parsePolicy(policy);
  return (text) => {
    const { url, host, port } = checkDestination(text, rules);
    if (url.protocol === 'https:') return;
    if (rules.allow.hasName(host, port) || rules.allow.hasAddress(host, port)) return;
    throw new EgressRefusedError('scheme_refused', 'Only https URLs can be used here.');
  };
}
