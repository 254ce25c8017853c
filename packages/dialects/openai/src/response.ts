import {
  agentConfigSchema,
  isFinal,
  overrideAgent,
  type Agent,
  type AgentConfig,
  type stepSchema,
  type Turn,
  type Usage,
} from '@turnpike/contract';
import { z } from 'zod';
import { conversationId, responseId, responseIdSchema } from './ids.ts';
import { callsClient, clientToolsOf, itemsOf, type OutputItem, type ShownCall } from './items.ts';

type Step = z.infer<typeof stepSchema>;

const STATUSES = ['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'incomplete'] as const;
type Status = (typeof STATUSES)[number];

/** What a response is made of: a turn, and the configuration that it runs with. */
export interface ResponseSource {
  turn: Turn;
  /** The agent at the turn's version; null where it was deleted. */
  agent: Agent | null;
  config: AgentConfig | null;
  clientTools: ReadonlySet<string>;
  /** Whether the model thinks in this turn. */
  thinks: boolean;
}

/** Picks these fields of an agent. */
const configSchema = z.object(agentConfigSchema.shape);

export function sourceOf(turn: Turn, agent: Agent | null): ResponseSource {
  const config = agent === null ? null : overrideAgent(configSchema.parse(agent), turn.overrides);
  const thinking = config?.thinking?.type;
  return {
    turn,
    agent,
    config,
    clientTools: clientToolsOf(config?.tools ?? turn.overrides?.tools ?? []),
    thinks: thinking !== undefined && thinking !== 'disabled',
  };
}

/** For the document: what clients rely on. */
export const responseSchema = z
  .looseObject({
    id: responseIdSchema,
    object: z.literal('response'),
    created_at: z.int(),
    status: z.enum(STATUSES),
    model: z.string(),
    output: z.array(z.looseObject({ type: z.string() })),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.string() }).nullable(),
    metadata: z.record(z.string(), z.string()),
    previous_response_id: z.string().nullable(),
    conversation: z.object({ id: z.string() }),
  })
  .meta({
    id: 'OpenAIResponse',
    description: "A response of OpenAI's Responses API: a turn, or a part of one.",
  });

/** A response as it is sent. */
export interface ResponseBody {
  id: string;
  object: 'response';
  status: Status;
  output: OutputItem[];
  [field: string]: unknown;
}

const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** How many responses are complete once these steps are, and the turn waits for outputs. */
export const partsIn = (steps: readonly Step[], clientTools: ReadonlySet<string>): number =>
  steps.filter((step) => callsClient(step, clientTools)).length;

/** The steps of a part: after the one that ended the part before, up to the one that calls functions of the client. */
export function stepsOfPart(
  steps: readonly Step[],
  part: number,
  clientTools: ReadonlySet<string>,
): { steps: Step[]; isCut: boolean } | null {
  const ends = steps.flatMap((step, index) => (callsClient(step, clientTools) ? [index] : []));
  if (part > ends.length) return null;
  const from = part === 0 ? 0 : (ends[part - 1] ?? 0) + 1;
  const end = ends[part];
  return end === undefined
    ? { steps: steps.slice(from), isCut: false }
    : { steps: steps.slice(from, end + 1), isCut: true };
}

/** A part as it stands; null where the turn has no such part. `steps`: all of the turn. */
export function responseOf(
  source: ResponseSource,
  part: number,
  steps: readonly Step[],
): ResponseBody | null {
  const { turn, clientTools, thinks } = source;
  const own = stepsOfPart(steps, part, clientTools);
  if (own === null) return null;
  const output = own.steps.flatMap((step) =>
    itemsOf(step, { thinks, clientTools, calls: step.tool_calls.map(shownCall) }),
  );
  const last = own.steps.at(-1);
  const isWaitedFor = own.isCut && last !== undefined && waitsForClient(last, turn, clientTools);
  const status = own.isCut && !isWaitedFor ? 'completed' : statusOf(turn);
  return bodyOf(source, part, { status, output, usage: sumOf(own.steps) });
}

/** Whether functions of the client were called, and the turn does not wait for them yet: other calls still run. */
function waitsForClient(step: Step, turn: Turn, clientTools: ReadonlySet<string>): boolean {
  const isOpen = step.tool_calls.some(({ name, awaiting }) => clientTools.has(name) && awaiting === 'output');
  return isOpen && turn.status !== 'requires_action';
}

export function shownCall(call: Step['tool_calls'][number]): ShownCall {
  const { tool_use_id: toolUseId, output, is_error: isError, status } = call;
  return { toolUseId, output, isError, isSettled: status === 'completed' || status === 'unknown' };
}

export function statusOf({ status }: Pick<Turn, 'status'>): Status {
  if (status === 'requires_action' || status === 'cancelling') return 'in_progress';
  return status;
}

/** The body of a part. What is the same in all its states comes from the turn alone. */
export function bodyOf(
  { turn, agent, config }: ResponseSource,
  part: number,
  now: { status: Status; output: OutputItem[]; usage: Usage | null },
): ResponseBody {
  const { status, output, usage } = now;
  const isOver = isFinal(turn.status) && status === turn.status;
  const { overrides } = turn;
  const choice = config?.tool_choice;
  return {
    id: responseId({ turnId: turn.id, part }),
    object: 'response',
    created_at: seconds(turn.created_at),
    status,
    background: true,
    error: status === 'failed' ? errorOf(turn) : null,
    incomplete_details: status === 'incomplete' ? { reason: reasonOf(turn) } : null,
    instructions: typeof overrides?.system === 'string' ? overrides.system : null,
    max_output_tokens: overrides?.max_tokens ?? null,
    max_tool_calls: null,
    metadata: turn.metadata,
    model: overrides?.model ?? agent?.name ?? turn.agent_id,
    output,
    parallel_tool_calls: !(
      choice !== undefined &&
      'disable_parallel_tool_use' in choice &&
      choice.disable_parallel_tool_use === true
    ),
    previous_response_id: part === 0 ? null : responseId({ turnId: turn.id, part: part - 1 }),
    conversation: { id: conversationId(turn.session_id) },
    reasoning: { effort: config?.effort ?? null, summary: null },
    safety_identifier: overrides?.model_metadata?.user_id ?? null,
    service_tier: overrides?.service_tier === 'standard_only' ? 'default' : 'auto',
    store: true,
    temperature: config?.temperature ?? null,
    text: { format: formatOf(config), verbosity: 'medium' },
    tool_choice: choiceOf(config),
    tools: functionsOf(config),
    top_logprobs: 0,
    top_p: config?.top_p ?? null,
    truncation: 'auto',
    usage: usage === null ? null : usageOf(usage),
    ...(isOver && turn.finished_at !== null ? { completed_at: seconds(turn.finished_at) } : {}),
  };
}

function errorOf({ error }: Turn): { code: string; message: string } {
  const code = error?.code === 'input_refused' ? 'invalid_prompt' : 'server_error';
  return { code, message: error === null ? 'The turn failed.' : `${error.code}: ${error.message}` };
}

/** OpenAI's reason where it has one, else ours. */
function reasonOf({ stop_reason: reason }: Turn): string {
  if (reason === 'max_tokens' || reason === 'model_context_window_exceeded') return 'max_output_tokens';
  return reason === 'refusal' ? 'content_filter' : (reason ?? 'max_output_tokens');
}

function formatOf(config: AgentConfig | null): object {
  const format = config?.output_format;
  if (format === undefined) return { type: 'text' };
  return { type: 'json_schema', name: 'output', schema: format.schema, strict: true };
}

function choiceOf(config: AgentConfig | null): unknown {
  const choice = config?.tool_choice;
  if (choice === undefined || choice.type === 'auto') return 'auto';
  if (choice.type === 'tool') return { type: 'function', name: choice.name };
  return choice.type === 'any' ? 'required' : 'none';
}

function functionsOf(config: AgentConfig | null): object[] {
  return (config?.tools ?? []).flatMap((tool) =>
    tool.type === 'client'
      ? [
          {
            type: 'function',
            name: tool.name,
            description: tool.description,
            parameters: tool.input_schema,
            strict: tool.strict ?? false,
          },
        ]
      : [],
  );
}

export function sumOf(steps: readonly Pick<Step, 'usage'>[]): Usage {
  const sum = (field: keyof Usage): number => steps.reduce((total, { usage }) => total + usage[field], 0);
  return {
    input_tokens: sum('input_tokens'),
    output_tokens: sum('output_tokens'),
    cache_creation_input_tokens: sum('cache_creation_input_tokens'),
    cache_read_input_tokens: sum('cache_read_input_tokens'),
  };
}

/** `input_tokens` has the cached ones in it, unlike ours. */
function usageOf(usage: Usage): object {
  const { cache_creation_input_tokens: written, cache_read_input_tokens: cached } = usage;
  const input = usage.input_tokens + written + cached;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    output_tokens: usage.output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + usage.output_tokens,
  };
}
