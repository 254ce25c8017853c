import { createUpstreamFetch } from '@turnpike/egress';
import { openKeyProvider, type KeyProvider } from '@turnpike/secrets';
import { readKeySettings } from './config.ts';
import { warn } from './say.ts';

/** Runs `work` with the provider of the master keys that the environment names. */
export async function withKeyProvider<Result>(
  work: (provider: KeyProvider) => Promise<Result>,
): Promise<Result> {
  const provider = await openKeyProvider(readKeySettings(), {
    connect: ({ ca }) => createUpstreamFetch({ idleTimeoutMs: 10_000, ...(ca === undefined ? {} : { ca }) }),
    onRenewalFailure: (error) => warn(error.message),
  });
  try {
    return await work(provider);
  } finally {
    provider.close();
  }
}
