import { newSimId } from './ids.ts';
import type { Containers } from './containers.ts';
import type { CacheUsage } from './prompt-cache.ts';
import type { MessagesRequest } from './request-schema.ts';
import type { Reply } from './script.ts';
import { signThinking } from './sign-thinking.ts';
import { groupTokens, splitTokens } from './tokens.ts';
import type { Piece } from './tokens.ts';

/** A block of the response, already cut into what each delta carries. */
export type PlannedBlock =
  | { type: 'thinking'; pieces: readonly Piece[]; signature: string }
  | { type: 'text'; pieces: readonly Piece[] }
  | {
      type: 'tool_use' | 'server_tool_use';
      id: string;
      name: string;
      pieces: readonly Piece[];
      input: unknown;
    }
  /** The result of a tool that the API runs: it comes whole. */
  | {
      type: 'server_result';
      pieces: readonly [];
      block: { type: string; tool_use_id: string; content: unknown };
    };

/** A whole response before it is sent, as JSON or as a stream. */
export interface MessagePlan {
  id: string;
  model: string;
  blocks: readonly PlannedBlock[];
  stopReason: string;
  stopSequence: string | null;
  /** Where code was run; null where none was. */
  container: { id: string; expires_at: string } | null;
  usage: PlannedUsage;
}

export interface PlannedUsage {
  inputTokens: number;
  outputTokens: number;
  thinkingTokens: number;
  cacheRead: number;
  cacheCreation: number;
  cacheCreation1h: number;
  webSearches: number;
  webFetches: number;
  speed: 'standard' | 'fast' | null;
}

/** The reply as this request allows it: cut at `max_tokens` and stop sequences, thinking only where asked for. */
export function planMessage(
  request: MessagesRequest,
  reply: Reply,
  prompt: { tokens: number; cache: CacheUsage },
  chunk: number,
  containers: Containers,
): MessagePlan {
  const budget = { left: request.maxTokens, cut: false };
  const blocks: PlannedBlock[] = [];
  let thinkingTokens = 0;

  if (reply.thinking !== undefined && request.thinking !== 'none') {
    const tokens = spend(splitTokens(reply.thinking), budget);
    thinkingTokens = tokens.length;
    blocks.push({
      type: 'thinking',
      pieces: request.thinking === 'omitted' ? [] : groupTokens(tokens, chunk),
      signature: signThinking(request.model, tokens.join('')),
    });
  }

  const openCalls = openServerCalls(request);
  for (const [at, content] of (reply.server_results ?? []).entries()) {
    const { id, name } = openCalls[at] ?? { id: 'srvtoolu_none', name: 'none' };
    blocks.push({
      type: 'server_result',
      pieces: [],
      block: { type: resultTypeOf(name), tool_use_id: id, content },
    });
  }
  const serverCalls = reply.server_calls ?? [];
  for (const { name, input, result } of serverCalls) {
    const id = newSimId('srvtoolu');
    const pieces = groupTokens(spend(splitTokens(JSON.stringify(input)), budget), chunk);
    blocks.push({ type: 'server_tool_use', id, name, pieces, input });
    if (result === undefined) continue;
    const block = { type: resultTypeOf(name), tool_use_id: id, content: result };
    blocks.push({ type: 'server_result', pieces: [], block });
  }

  const stop = cutAtStopSequence(reply.text ?? '', request.stopSequences);
  if (stop.text !== '' && !budget.cut) {
    const tokens = spend(splitTokens(stop.text), budget);
    if (tokens.length > 0) blocks.push({ type: 'text', pieces: groupTokens(tokens, chunk) });
  }

  const uses = stop.sequence === null ? (reply.tool_uses ?? []) : [];
  for (const use of uses) {
    if (budget.cut) break;
    const text = use.input_json ?? (use.input === null ? '' : JSON.stringify(use.input));
    const tokens = spend(splitTokens(text), budget);
    if (tokens.length === 0 && text !== '') break;
    blocks.push({
      type: 'tool_use',
      id: use.id ?? newSimId('toolu'),
      name: use.name,
      pieces: groupTokens(tokens, Math.min(chunk, Math.ceil(tokens.length / 2))),
      // What was cut off is no JSON: the real API's JSON answer has an empty input then.
      input: budget.cut ? {} : use.input,
    });
  }

  const natural = reply.stop_reason ?? (uses.length > 0 ? 'tool_use' : 'end_turn');
  const reached = stop.sequence === null ? natural : 'stop_sequence';
  const { cache } = prompt;
  const created = cache.created5m + cache.created1h;
  return {
    id: newSimId('msg'),
    model: request.model,
    blocks,
    stopReason: budget.cut ? 'max_tokens' : reached,
    stopSequence: budget.cut ? null : stop.sequence,
    container: serverCalls.some(({ name }) => name === 'code_execution')
      ? containers.open(request.containerId)
      : null,
    usage: {
      inputTokens: reply.usage?.input_tokens ?? prompt.tokens - cache.read - created,
      outputTokens: reply.usage?.output_tokens ?? Math.max(1, request.maxTokens - budget.left),
      thinkingTokens,
      cacheRead: reply.usage?.cache_read_input_tokens ?? cache.read,
      cacheCreation: reply.usage?.cache_creation_input_tokens ?? created,
      cacheCreation1h: cache.created1h,
      webSearches: serverCalls.filter(({ name }) => name === 'web_search').length,
      webFetches: serverCalls.filter(({ name }) => name === 'web_fetch').length,
      speed: request.speed,
    },
  };
}

const resultTypeOf = (name: string): string =>
  name.startsWith('tool_search') ? 'tool_search_tool_result' : `${name}_tool_result`;

/** The calls that the last response left without a result. */
function openServerCalls({ messages }: MessagesRequest): { id: string; name: string }[] {
  const content = messages.findLast(({ role }) => role === 'assistant')?.content ?? [];
  const blocks = content.map((block) => ({ id: '', name: '', tool_use_id: '', ...block }));
  const answered = new Set(blocks.map(({ tool_use_id: id }) => id));
  return blocks.filter(({ type, id }) => type === 'server_tool_use' && !answered.has(id));
}

function spend(tokens: string[], budget: { left: number; cut: boolean }): string[] {
  if (tokens.length > budget.left) budget.cut = true;
  const spent = tokens.slice(0, budget.left);
  budget.left -= spent.length;
  return spent;
}

function cutAtStopSequence(
  text: string,
  sequences: readonly string[],
): { text: string; sequence: string | null } {
  let end = text.length;
  let found: string | null = null;
  for (const sequence of sequences) {
    const at = text.indexOf(sequence);
    if (at === -1 || at >= end) continue;
    end = at;
    found = sequence;
  }
  return { text: text.slice(0, end), sequence: found };
}
