import { checkDestination } from './check-destination.ts';
import { EgressRefusedError } from './errors.ts';
import { type EgressPolicy, parsePolicy } from './policy.ts';

/** Names that always mean this machine (RFC 6761), so no look-up is needed. */
const LOOPBACK_NAME = /(^|\.)localhost\.?$/i;
const LOOPBACK = ['127.0.0.1', '::1'];

/**
 * Returns a check for URLs that are stored and requested later. It checks what can be checked without resolving the
 * name, and requires https unless the policy's allow-list names the host. Each connection is guarded again. The check
 * throws `EgressRefusedError`.
 * Throws a `ZodError` or a `TypeError` for an invalid policy.
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
