import { TurnpikeApiError, type Agent, type CreatedTool, type Tool, type Turnpike } from '@turnpike/client';
import type { CreateAgent } from '@turnpike/contract';
import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../failure.ts';
import { describeMistake } from './definition.ts';
import { AGENT_FIELDS, fieldsOf, TOOL_FIELDS, type Planned } from './plan-changes.ts';
import { resolveAgents } from './resolve-agents.ts';

type PlannedAgent = Extract<Planned, { definition: { kind: 'agent' } }>;
type PlannedTool = Extract<Planned, { definition: { kind: 'tool' } }>;

/** What was done for one definition. `signingSecret`: of a new tool, which is shown this once. */
export interface Done {
  planned: Planned;
  result: Agent | Tool;
  signingSecret: string | null;
  /** False where it calls agents that were not there yet: `finish` makes it whole once they are. */
  isWhole: boolean;
}

/**
 * Makes one change, and adds an agent's id to `ids`. Throws a `Failure` with file, line and field where the API refuses it, and where someone else
 * changed the same agent or tool after it was compared.
 */
export function carryOut(turnpike: Turnpike, planned: Planned, ids: Map<string, string>): Promise<Done> {
  return explaining(planned, async () => {
    if (isTool(planned)) {
      const result = await applyTool(turnpike, planned);
      const signingSecret = 'signing_secret' in result ? (result.signing_secret ?? null) : null;
      return { planned, result, signingSecret, isWhole: true };
    }
    const { isWhole } = resolveAgents(planned.definition, ids);
    const result = await applyAgent(turnpike, planned, ids);
    ids.set(result.name, result.id);
    return { planned, result, signingSecret: null, isWhole };
  });
}

/** Adds the tools that were left out, when the agents that they call are there: they call each other in a circle. */
export function finish(
  turnpike: Turnpike,
  { planned, result }: Done,
  ids: Map<string, string>,
): Promise<Done> {
  return explaining(planned, async () => {
    if (isTool(planned)) return { planned, result, signingSecret: null, isWhole: true };
    const { body, isWhole } = resolveAgents(planned.definition, ids);
    const version = 'version' in result ? { if_version: result.version } : {};
    const whole = await turnpike.agents.update(result.id, { tools: body.tools, ...version });
    return { planned, result: whole, signingSecret: null, isWhole };
  });
}

async function explaining<Result>(planned: Planned, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TurnpikeApiError)) throw error;
    throw new Failure(explainRefusal(planned, error));
  }
}

// A type guard, since TypeScript does not narrow by a field inside of a field.
const isTool = (planned: Planned): planned is PlannedTool => planned.definition.kind === 'tool';

async function applyAgent(
  turnpike: Turnpike,
  planned: Exclude<Planned, PlannedTool>,
  ids: ReadonlyMap<string, string>,
): Promise<Agent> {
  const { definition, existing, changes } = planned;
  const { body } = resolveAgents(definition, ids);
  if (existing === null) return createAgent(turnpike, definition, body);
  const wanted = fieldsOf(body, AGENT_FIELDS);
  const changed = new Set(changes.map(({ field }) => field.split('.')[0] ?? ''));
  const change = Object.fromEntries([...changed].map((field) => [field, wanted[field] ?? null]));
  return turnpike.agents.update(existing.id, { ...change, if_version: existing.version });
}

/**
 * Names are not unique on the service. Where two runs create the same agent at once, each looks after its own was
 * committed, so at least one of them sees both: it takes its own back and says so.
 */
async function createAgent(
  turnpike: Turnpike,
  { name, origin }: PlannedAgent['definition'],
  body: CreateAgent,
): Promise<Agent> {
  const created = await turnpike.agents.create(body);
  for await (const other of turnpike.agents.list({ limit: 100 })) {
    if (other.name !== name || other.id === created.id) continue;
    await turnpike.agents.delete(created.id);
    const message = `someone else created an agent of this name meanwhile (${other.id}): apply again`;
    throw new Failure(describeMistake(origin, 'name', message));
  }
  return created;
}

async function applyTool(
  turnpike: Turnpike,
  { definition, existing }: PlannedTool,
): Promise<Tool | CreatedTool> {
  const { name, ...config } = definition.value;
  if (existing === null) return turnpike.tools.create({ name, ...config });
  // The API has no version of tools to compare with: this finds a change that is older than a moment.
  const now = await turnpike.tools.get(existing.id);
  if (
    now.type !== 'http' ||
    !isDeepStrictEqual(fieldsOf(now, TOOL_FIELDS), fieldsOf(existing, TOOL_FIELDS))
  ) {
    throw new Failure(
      describeMistake(definition.origin, '', `someone else changed ${existing.id} meanwhile: apply again`),
    );
  }
  return turnpike.tools.update(existing.id, config);
}

function explainRefusal({ definition, existing }: Planned, error: TurnpikeApiError): string {
  const { origin } = definition;
  if (error.code === 'agent_changed') {
    const message = `someone else changed ${existing?.id ?? 'the agent'} meanwhile: apply again`;
    return describeMistake(origin, '', message);
  }
  if (error.errors.length === 0) return describeMistake(origin, '', error.message);
  return error.errors.map(({ path, message }) => describeMistake(origin, path, message)).join('; ');
}
