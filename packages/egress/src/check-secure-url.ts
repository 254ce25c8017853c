import { checkDestination } from './check-destination.ts';
import { EgressRefusedError } from './errors.ts';
import { type EgressPolicy, parsePolicy } from './policy.ts';

/** Names that only ever mean this machine (RFC 6761), so that no resolver need be asked. */
const LOOPBACK_NAME = /(^|\.)localhost\.?$/i;
const LOOPBACK = ['127.0.0.1', '::1'];

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
    const isLoopback = LOOPBACK_NAME.test(host);
    const addresses = isLoopback ? LOOPBACK : [host];
    const isAllowed =
      rules.allow.hasName(host, port) || addresses.some((address) => rules.allow.hasAddress(address, port));
    if (isAllowed) return;
    if (isLoopback) throw new EgressRefusedError('address_refused', `${host} is not at a public address.`);
    if (url.protocol === 'https:') return;
    throw new EgressRefusedError('scheme_refused', 'Only https URLs can be used here.');
  };
}
