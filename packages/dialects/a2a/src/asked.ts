import { ProblemError } from '@turnpike/contract';
import type { DialectCall, UseCases } from '@turnpike/dialect-base';
import type { Asked } from './method.ts';

/** The agent that a path names, with what its methods need. Throws `not_found`. */
export async function askedOf(
  { params, waitMs, origin }: DialectCall<{ agent_id: string }, unknown, unknown>,
  useCases: UseCases,
): Promise<Asked> {
  const agent = await useCases.agents.read(params.agent_id);
  if (agent === null) throw new ProblemError('not_found', 'There is no such agent.');
  return { agent, useCases, waitMs, origin };
}
