import { z } from 'zod';
import { textOfResult } from '../read-facts.ts';
import { isToolResultBlock, isToolUseBlock } from '../request-schema.ts';
import type { RequestMessage, ToolResultBlock, ToolUseBlock } from '../request-schema.ts';

const MAX_QUOTE = 300;

/** A sentence for each tool result in the last message. */
export function describeToolResults(messages: readonly RequestMessage[]): string {
  const uses = new Map(
    (messages.at(-2)?.content ?? []).filter(isToolUseBlock).map((use) => [use.id, use] as const),
  );
  const results = (messages.at(-1)?.content ?? []).filter(isToolResultBlock);
  const sentences = results.map((result) => describe(result, uses.get(result.tool_use_id)));
  return `${sentences.join(' ')} (simulated)`;
}

function describe(result: ToolResultBlock, use: ToolUseBlock | undefined): string {
  const text = textOfResult(result.content);
  const name = use?.name ?? 'The tool';
  if (result.is_error === true) return `${name} did not work: ${quote(firstLine(text))}.`;
  if (name === 'current_time') return `It is ${timeIn(text)}.`;
  if (name === 'http_request') return describeHttp(text, use?.input['url']);
  return `${name} says: ${quote(firstLine(text))}.`;
}

const timeSchema = z.looseObject({ time: z.string() }).or(z.looseObject({ now: z.string() }));

/** The time in a tool's result, as plain text or in a JSON object. */
function timeIn(text: string): string {
  const parsed = timeSchema.safeParse(readJson(text));
  if (!parsed.success) return firstLine(text);
  const time = 'time' in parsed.data ? parsed.data['time'] : parsed.data['now'];
  return String(time);
}

const httpSchema = z.looseObject({ status: z.int(), body: z.string() });

function describeHttp(text: string, url: unknown): string {
  const where = typeof url === 'string' ? url : 'The address';
  const parsed = httpSchema.safeParse(readJson(text));
  if (!parsed.success) return `${where} answered: ${quote(firstLine(text))}.`;
  return `${where} answered ${parsed.data.status}: ${quote(firstLine(parsed.data.body))}.`;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A tool may answer in plain text.
    return undefined;
  }
}

function firstLine(text: string): string {
  const line = text.split('\n').find((candidate) => candidate.trim() !== '') ?? '';
  return line.trim().slice(0, MAX_QUOTE);
}

function quote(text: string): string {
  return text === '' ? 'nothing' : `“${text}”`;
}
