import type { Turn } from '@turnpike/contract';
import { orNotFound, type UseCases } from '@turnpike/dialect-base';
import { noResponse, parseResponseId } from './ids.ts';
import { responseOf, sourceOf, type ResponseBody, type ResponseSource } from './response.ts';

/** The turn of a response, and the configuration that it runs with. */
export async function readSource(useCases: UseCases, turn: Turn): Promise<ResponseSource> {
  return sourceOf(turn, await useCases.agents.read(turn.agent_id, turn.agent_version));
}

/** The turn that a response id names. Throws `not_found`, without the id. */
export async function readTurnOf({ turns }: UseCases, id: string): Promise<{ turn: Turn; part: number }> {
  const { turnId, part } = parseResponseId(id);
  return { turn: await orNotFound(turns.read(turnId), noResponse), part };
}

/** A response as it stands. Throws `not_found` where the turn has no such part. */
export async function readResponse(useCases: UseCases, turn: Turn, part: number): Promise<ResponseBody> {
  const source = await readSource(useCases, turn);
  const steps = await orNotFound(useCases.turns.steps(turn.id), noResponse);
  const response = responseOf(source, part, steps);
  if (response === null) throw noResponse();
  return response;
}
