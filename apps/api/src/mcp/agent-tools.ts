import { createHash } from 'node:crypto';
import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server';
import { idSchema, isFinal, ProblemError, turnSchema, type Agent, type Turn } from '@turnpike/contract';
import { listAgents } from '@turnpike/store';
import { z } from 'zod';
import { cancelTurn } from '../cancel-turn.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { readSettledTurn } from '../read-settled-turn.ts';
import type { Services } from '../route.ts';
import { describeTurn } from './describe-turn.ts';
import { giveWork } from './give-work.ts';
import type { McpRequester } from './mcp-requester.ts';
import { TURN_TOOLS } from './needs-agents.ts';
import { takesTasks, taskOf } from './turn-tasks.ts';

/** The newest agents. A host shows its model every tool. */
const MOST_AGENTS = 100;
const MOST_WAIT_SECONDS = 60;
const DEFAULT_WAIT_SECONDS = 20;
/** For clients that follow what takes longer as a task. */
const TASK_WAIT_SECONDS = 5;

const waitSeconds = z
  .number()
  .min(0)
  .max(MOST_WAIT_SECONDS)
  .optional()
  .describe('How long to wait for the end of the turn.');

const workSchema = z.object({
  input: z.string().min(1).max(1_000_000).describe('What the agent is to do.'),
  session_id: idSchema('session').optional().describe('To continue a conversation with the same agent.'),
  wait_seconds: waitSeconds,
  idempotency_key: z
    .string()
    .regex(IDEMPOTENCY_KEY)
    .optional()
    .describe('A call that is made again with the same key gives no new work, and returns the same turn.'),
});

const outputSchema = z.object({
  turn_id: z.string(),
  session_id: z.string(),
  status: turnSchema.shape.status,
  output_text: z.string().nullable(),
  error: z.string().nullable(),
});

/** Gives a server the tenant's agents as tools, where the request needs them, and the tools to follow a turn. */
export async function addAgentTools(
  server: McpServer,
  services: Services,
  requester: McpRequester,
): Promise<void> {
  const { tenantId, needsAgents } = requester;
  const agents = needsAgents
    ? await listAgents(services.database, tenantId, { cursor: null, limit: MOST_AGENTS })
    : [];
  const taken = new Set<string>(TURN_TOOLS);
  // Of agents with one name the oldest keeps it: a host that knows the list still calls the same agent.
  for (const agent of agents.toReversed()) {
    const name = toolNameOf(agent, taken);
    taken.add(name);
    const config = { title: agent.name, description: describe(agent), inputSchema: workSchema, outputSchema };
    server.registerTool(name, config, (work, context) =>
      asResult(services, tenantId, async () => {
        const turnId = await giveWork(services, requester, agent.id, work);
        const seconds = work.wait_seconds ?? (takesTasks(context) ? TASK_WAIT_SECONDS : DEFAULT_WAIT_SECONDS);
        const turn = await wait(services, requester, turnId, seconds);
        return asTask(turn, context);
      }),
    );
  }
  server.registerTool(
    'get_turn',
    {
      title: 'Read a turn',
      description: 'The state of work that was given to an agent; waits for its end for a while.',
      inputSchema: z.object({ turn_id: idSchema('turn'), wait_seconds: waitSeconds }),
      outputSchema,
      annotations: { readOnlyHint: true },
    },
    ({ turn_id: id, wait_seconds: seconds }) =>
      asResult(services, tenantId, async () =>
        describeTurn(await wait(services, requester, id, seconds ?? DEFAULT_WAIT_SECONDS)),
      ),
  );
  server.registerTool(
    'cancel_turn',
    {
      title: 'Cancel a turn',
      description: 'Stops work that was given to an agent.',
      inputSchema: z.object({ turn_id: idSchema('turn') }),
      outputSchema,
      annotations: { idempotentHint: true, destructiveHint: true },
    },
    ({ turn_id: id }) =>
      asResult(services, tenantId, async () => {
        const { turn, afterCommit } = await cancelTurn(
          services,
          { sql: services.database.pool, tenantId },
          id,
        );
        afterCommit();
        return describeTurn(turn);
      }),
  );
}

function wait(
  services: Services,
  { tenantId, gone }: McpRequester,
  turnId: string,
  seconds: number,
): Promise<Turn> {
  return readSettledTurn(services, tenantId, turnId, seconds * 1_000, () => gone);
}

/** What the turn gave; a task where it goes on and the client follows tasks. */
function asTask(turn: Turn, context: ServerContext): CallToolResult {
  const result = describeTurn(turn);
  return isFinal(turn.status) || !takesTasks(context)
    ? result
    : { ...result, resultType: 'task', ...taskOf(turn) };
}

/** What is wrong with a call is told to the model that made it; what is wrong with us is not. */
async function asResult(
  { reportError }: Pick<Services, 'reportError'>,
  tenantId: string,
  work: () => Promise<CallToolResult>,
): Promise<CallToolResult> {
  try {
    return await work();
  } catch (error) {
    const isProblem = error instanceof ProblemError;
    if (!isProblem) reportError(error, { tenant_id: tenantId, endpoint: 'mcp' });
    const text = isProblem ? `${error.code}: ${error.message}` : 'internal_error: The call was not served.';
    return { isError: true, content: [{ type: 'text', text }] };
  }
}

/** The agent's name in the characters that tools have, with a part of its id where another has it. */
function toolNameOf({ id, name }: Agent, taken: ReadonlySet<string>): string {
  const plain = name.replaceAll(/[^a-zA-Z0-9_-]+/g, '_').slice(0, 50);
  const isUsable = /[a-zA-Z0-9]/.test(plain) && !taken.has(plain);
  if (isUsable) return plain;
  return `${/[a-zA-Z0-9]/.test(plain) ? plain : 'agent'}_${createHash('sha256').update(id).digest('hex').slice(0, 8)}`;
}

/** What the tenant says of it in its label `description`; the prompt is not shown. */
function describe({ name, metadata }: Agent): string {
  const said = metadata['description'];
  return said === undefined || said === '' ? `Gives work to the agent "${name}".` : said;
}
