import {
  isText,
  isToolUse,
  textOf,
  type AgentTool,
  type ContentBlock,
  type stepSchema,
} from '@turnpike/contract';
import { z } from 'zod';
import { itemId } from './ids.ts';

type Step = Omit<z.infer<typeof stepSchema>, 'tool_calls'>;
type StoredCall = z.infer<typeof stepSchema>['tool_calls'][number];

/** A call of a tool, as an item shows it. */
export interface ShownCall {
  toolUseId: string;
  /** Null while it has no result. */
  output: readonly ContentBlock[] | null;
  isError: boolean;
  isSettled: boolean;
}

export interface MessageItem {
  id: string;
  type: 'message';
  role: 'assistant';
  status: 'in_progress' | 'completed' | 'incomplete';
  content: { type: 'output_text'; text: string; annotations: []; logprobs: [] }[];
}
export interface ReasoningItem {
  id: string;
  type: 'reasoning';
  summary: { type: 'summary_text'; text: string }[];
}
export interface FunctionCallItem {
  id: string;
  type: 'function_call';
  status: 'in_progress' | 'completed';
  call_id: string;
  name: string;
  arguments: string;
}
/** A tool that is run here: nothing that the client is to do. */
export interface McpCallItem {
  id: string;
  type: 'mcp_call';
  status: 'in_progress' | 'completed' | 'failed';
  server_label: string;
  name: string;
  arguments: string;
  output: string | null;
  error: string | null;
}
export type OutputItem = MessageItem | ReasoningItem | FunctionCallItem | McpCallItem;

/** What items show of tools that run here. */
const SERVER_LABEL = 'turnpike';

const thinkingSchema = z.looseObject({ type: z.literal('thinking'), thinking: z.string() });
const toolUseSchema = z.looseObject({ id: z.string(), name: z.string(), input: z.unknown() });
type ToolUse = z.output<typeof toolUseSchema>;

/** The client's tools by name: those that the client runs. */
export function clientToolsOf(tools: readonly AgentTool[]): Set<string> {
  return new Set(tools.flatMap((tool) => (tool.type === 'client' ? [tool.name] : [])));
}

/** Whether the turn waits for outputs of its client after this step. */
export function callsClient(step: Pick<Step, 'type' | 'content'>, clientTools: ReadonlySet<string>): boolean {
  return step.type === 'model_call' && toolUsesIn(step.content).some(({ name }) => clientTools.has(name));
}

function toolUsesIn(content: readonly ContentBlock[]): ToolUse[] {
  return content.filter(isToolUse).flatMap((block) => toolUseSchema.safeParse(block).data ?? []);
}

/** The texts of thinking that the model returned, in order. */
function thinkingIn(content: readonly ContentBlock[]): string[] {
  return content.flatMap((block) => thinkingSchema.safeParse(block).data?.thinking || []);
}

/** The items of a model call that is committed: its thinking, its text, its calls with what came of them. */
export function itemsOf(
  step: Step,
  given: { thinks: boolean; clientTools: ReadonlySet<string>; calls: readonly ShownCall[] },
): OutputItem[] {
  const calls = callsIn(step, given.clientTools).map(({ toolUseId, item }) => {
    const call = given.calls.find((each) => each.toolUseId === toolUseId);
    return item.type === 'mcp_call' && call !== undefined ? withResult(item, call) : item;
  });
  return [...saidIn(step, given.thinks), ...calls];
}

/**
 * What the model says in a step. Thinking has an item also where the model returned none, if the turn thinks and the step
 * has text: a stream shows the text before it knows.
 */
export function saidIn(step: Step, thinks: boolean): (MessageItem | ReasoningItem)[] {
  if (step.type !== 'model_call') return [];
  const { turn_id: turnId, index, content, stop_reason: stopReason } = step;
  const text = textOf(content.filter(isText));
  const thinking = thinkingIn(content);
  const reasoning =
    thinking.length > 0 || (thinks && text !== '') ? [reasoningItem(turnId, index, thinking)] : [];
  const status = stopReason === null ? 'incomplete' : 'completed';
  const message = text === '' ? [] : [messageItem(turnId, index, text, status)];
  return thinks ? [...reasoning, ...message] : [...message, ...reasoning];
}

/** The calls of a step, as they are made. */
export function callsIn(
  step: Step,
  clientTools: ReadonlySet<string>,
): { toolUseId: string; item: FunctionCallItem | McpCallItem }[] {
  if (step.type !== 'model_call') return [];
  return toolUsesIn(step.content).map((use, place) => ({
    toolUseId: use.id,
    item: clientTools.has(use.name) ? functionCallItem(step, place, use) : mcpCallItem(step, place, use),
  }));
}

/** The calls of the client's functions in a step, with what is stored of each. */
export function functionCallsOf(
  step: z.infer<typeof stepSchema>,
  clientTools: ReadonlySet<string>,
): { item: FunctionCallItem; place: number; call: StoredCall }[] {
  return callsIn(step, clientTools).flatMap(({ toolUseId, item }, place) => {
    const call = step.tool_calls.find(({ tool_use_id: id }) => id === toolUseId);
    return item.type === 'function_call' && call !== undefined ? [{ item, place, call }] : [];
  });
}

export function messageItem(
  turnId: string,
  index: number,
  text: string | null,
  status: MessageItem['status'],
): MessageItem {
  const content = text === null ? [] : [textPart(text)];
  return { id: itemId('msg', turnId, index), type: 'message', role: 'assistant', status, content };
}

export const textPart = (text: string): MessageItem['content'][number] => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
});

export function reasoningItem(turnId: string, index: number, thinking: readonly string[]): ReasoningItem {
  const summary = thinking.map((text) => ({ type: 'summary_text' as const, text }));
  return { id: itemId('rs', turnId, index), type: 'reasoning', summary };
}

function functionCallItem(
  { turn_id: turnId, index }: Step,
  place: number,
  { name, input }: ToolUse,
): FunctionCallItem {
  return {
    id: itemId('fc', turnId, index, place),
    type: 'function_call',
    status: 'completed',
    // It names its turn: some clients repeat a call, and bring its output, with no other id.
    call_id: itemId('call', turnId, index, place),
    name,
    arguments: JSON.stringify(input ?? {}),
  };
}

function mcpCallItem({ turn_id: turnId, index }: Step, place: number, { name, input }: ToolUse): McpCallItem {
  return {
    id: itemId('mcp', turnId, index, place),
    type: 'mcp_call',
    status: 'in_progress',
    server_label: SERVER_LABEL,
    name,
    arguments: JSON.stringify(input ?? {}),
    output: null,
    error: null,
  };
}

/** A call that runs here, with what came of it. */
export function withResult(
  item: McpCallItem,
  { output, isError, isSettled }: Omit<ShownCall, 'toolUseId'>,
): McpCallItem {
  const text = output === null ? null : textOf([...output]);
  const settled = isError ? 'failed' : 'completed';
  return {
    ...item,
    status: isSettled ? settled : 'in_progress',
    output: isError ? null : text,
    error: isError ? text : null,
  };
}
