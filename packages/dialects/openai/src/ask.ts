import {
  ProblemError,
  startTurnSchema,
  submitToolOutputsSchema,
  submitTurnSchema,
  type Agent,
  type Turn,
} from '@turnpike/contract';
import {
  DEFAULT_AGENT,
  orNotFound,
  parse,
  refused,
  type Accepted,
  type UseCases,
} from '@turnpike/dialect-base';
import { isDeepStrictEqual } from 'node:util';
import { noConversation, noResponse, parseResponseId, sessionIdOf } from './ids.ts';
import { callsClient, functionCallsOf } from './items.ts';
import { overridesOf } from './overrides.ts';
import { readInput, type GivenInput } from './read-input.ts';
import { readSource } from './read-response.ts';
import type { CreateResponse } from './request.ts';
import { partsIn, type ResponseSource } from './response.ts';

/** A request that names one runs the default agent, with this model. */
const CLAUDE = /^claude-/;

/** The agent that a request names, and the model that it names in place of the agent's. */
export async function findAgent(
  { agents }: UseCases,
  name: string,
): Promise<{ agent: Agent; model: string | null }> {
  const agent = await agents.find(name);
  if (agent !== null) return { agent, model: null };
  const standard = CLAUDE.test(name) ? await agents.find(DEFAULT_AGENT) : null;
  if (standard !== null) return { agent: standard, model: name };
  throw new ProblemError(
    'not_found',
    'There is no such model: `model` is the id or the name of an agent, or a Claude model where an agent is named `default`.',
  );
}

/** Accepts what a request asks for: a turn, or outputs for a turn that waits for them. */
export function ask(useCases: UseCases, request: CreateResponse): Promise<Accepted> {
  return useCases.turns.accept(() => accept(useCases, request));
}

async function accept(useCases: UseCases, request: CreateResponse): Promise<Accepted> {
  const given = readInput(request.input);
  const { agent, model } = await findAgent(useCases, request.model);
  const overrides = overridesOf(agent, model, request, given.instructions);
  const place = await placeOf(useCases, request, given);
  if (place !== null && place.agentId !== agent.id)
    throw refused('model', 'is another agent than that of the conversation');
  if (given.outputs.length > 0) return answer(useCases, request, given, place?.waiting ?? null, overrides);
  if (place?.waiting != null && partIsOpen(place.waiting))
    throw refused('input', 'must have an output for each function that the response calls');
  return submit(useCases, request, given, { agent, place, overrides });
}

/** Where in a conversation a request stands. */
interface Place {
  sessionId: string;
  agentId: string;
  /** The turn that it may bring outputs for. */
  waiting: Turn | null;
  /** The turn that it follows in a copy of the session, which has gone on since; null where it follows the newest. */
  forksAfter: Turn | null;
}

const partIsOpen = ({ status, required_action: action }: Turn): boolean =>
  status === 'requires_action' && (action?.tool_calls.some(({ awaiting }) => awaiting === 'output') ?? false);

async function placeOf(
  useCases: UseCases,
  { previous_response_id: previous, conversation }: CreateResponse,
  { repeatsTurn }: GivenInput,
): Promise<Place | null> {
  if (previous != null && conversation != null)
    throw refused('conversation', 'cannot be given with previous_response_id');
  if (conversation != null) {
    const id = typeof conversation === 'string' ? conversation : conversation.id;
    const session = await orNotFound(useCases.sessions.read(sessionIdOf(id)), noConversation);
    const [newest] = await useCases.turns.list({ sessionId: session.id }, { limit: 1 });
    return { sessionId: session.id, agentId: session.agent_id, waiting: newest ?? null, forksAfter: null };
  }
  const id = previous == null ? repeatsTurn : parseResponseId(previous).turnId;
  if (id === null) return null;
  const turn = await orNotFound(useCases.turns.read(id), noResponse);
  const [newest] = await useCases.turns.list({ sessionId: turn.session_id }, { limit: 1 });
  const place = { sessionId: turn.session_id, agentId: turn.agent_id };
  if (newest === undefined || newest.id === turn.id) return { ...place, waiting: turn, forksAfter: null };
  if (previous != null) await checkIsLastPart(useCases, turn, previous);
  return { ...place, waiting: null, forksAfter: turn };
}

/** A response that called functions goes on with their outputs alone, and those it has. */
async function checkIsLastPart(useCases: UseCases, turn: Turn, previous: string): Promise<void> {
  const { clientTools } = await readSource(useCases, turn);
  const steps = await useCases.turns.steps(turn.id);
  if (parseResponseId(previous).part !== partsIn(steps, clientTools))
    throw refused(
      'previous_response_id',
      'has outputs for its functions: name the response that came of them',
    );
}

interface Asked {
  agent: Agent;
  place: Place | null;
  overrides: Record<string, unknown> | undefined;
}

function submit(
  { turns }: UseCases,
  { metadata }: CreateResponse,
  { content }: GivenInput,
  { agent, place, overrides }: Asked,
): Promise<Accepted> {
  const submission = {
    input: content,
    ...(metadata == null ? {} : { metadata }),
    ...(overrides === undefined ? {} : { overrides }),
  };
  if (place === null) {
    const first = parse(startTurnSchema, { ...submission, agent_id: agent.id });
    return turns.submit({ of: 'new_session', submission: first });
  }
  const next = parse(submitTurnSchema, submission);
  return turns.submit(
    place.forksAfter === null
      ? { of: 'session', sessionId: place.sessionId, submission: next }
      : { of: 'fork', after: { turnId: place.forksAfter.id }, submission: next },
  );
}

/** The turn keeps what it began with: a request that brings outputs may repeat it, and not change it. */
async function answer(
  useCases: UseCases,
  request: CreateResponse,
  { content, outputs }: GivenInput,
  turn: Turn | null,
  overrides: Record<string, unknown> | undefined,
): Promise<Accepted> {
  if (turn === null)
    throw refused(
      'previous_response_id',
      'is required with outputs of functions: it names the response that called them',
    );
  if (content.length > 0)
    throw refused('input', 'cannot have messages beside outputs of functions: send them afterwards');
  if (overrides !== undefined && !isDeepStrictEqual(overrides, { ...turn.overrides }))
    throw refused(
      'input',
      'brings outputs to a turn that began with other settings, tools or instructions, and keeps these',
    );
  if (request.metadata != null && !isDeepStrictEqual(request.metadata, turn.metadata))
    throw refused('metadata', 'cannot be changed with outputs of functions');
  const source = await readSource(useCases, turn);
  const calls = await callsOf(useCases, source, request.previous_response_id ?? null);
  const unknown = outputs.find(({ callId }) => !calls.has(callId));
  if (unknown !== undefined) throw refused(`${unknown.path}.call_id`, 'is not a call of that response');
  const missing = [...calls.keys()].find((callId) => outputs.every((output) => output.callId !== callId));
  if (missing !== undefined) throw refused('input', `has no output for the function call ${missing}`);
  const submitted = outputs.map(({ callId, output }) => ({ tool_call_id: calls.get(callId), output }));
  return useCases.turns.answer(turn.id, parse(submitToolOutputsSchema, { tool_outputs: submitted }));
}

/** The functions that the newest part of a turn called, by the ids that its client knows. */
async function callsOf(
  { turns }: UseCases,
  { turn, clientTools }: ResponseSource,
  previous: string | null,
): Promise<Map<string, string>> {
  const steps = await turns.steps(turn.id);
  const parts = partsIn(steps, clientTools);
  if (previous !== null && parseResponseId(previous).part !== parts - 1)
    throw refused('previous_response_id', 'is not the newest response of its turn');
  const last = steps.findLast((step) => callsClient(step, clientTools));
  if (last === undefined) return new Map();
  return new Map(functionCallsOf(last, clientTools).map(({ item, call }) => [item.call_id, call.id]));
}

/** Which part of its turn was accepted: those before it were complete by then. */
export async function partOf(
  useCases: UseCases,
  { turn, clientTools }: ResponseSource,
  stepCount: number,
): Promise<number> {
  if (stepCount === 0) return 0;
  const steps = await useCases.turns.steps(turn.id);
  return partsIn(steps.slice(0, stepCount), clientTools);
}
