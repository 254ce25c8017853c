import { z } from 'zod';
import type { ValidationIssue } from '../errors.ts';

/** The tools that the Messages API runs itself, with the version that is sent and the settings that it takes. */
export const SERVER_TOOLS = {
  web_search: {
    type: 'web_search_20250305',
    settings: ['max_uses', 'allowed_domains', 'blocked_domains', 'user_location'],
  },
  web_fetch: {
    type: 'web_fetch_20250910',
    settings: ['max_uses', 'allowed_domains', 'blocked_domains', 'max_content_tokens', 'citations'],
  },
  code_execution: { type: 'code_execution_20250825', settings: [] },
  tool_search_tool_regex: { type: 'tool_search_tool_regex_20251119', settings: [] },
  tool_search_tool_bm25: { type: 'tool_search_tool_bm25_20251119', settings: [] },
} as const;

export type ServerToolName = keyof typeof SERVER_TOOLS;
export const SERVER_TOOL_NAMES = [
  'web_search',
  'web_fetch',
  'code_execution',
  'tool_search_tool_regex',
  'tool_search_tool_bm25',
] as const;

/** The model finds deferred tools with one of these. */
const SEARCHES: readonly string[] = ['tool_search_tool_regex', 'tool_search_tool_bm25'];

export const deferLoadingSchema = z
  .boolean()
  .optional()
  .meta({
    description: `If true, the model is not shown the tool before it finds it, with ${SEARCHES.join(' or ')}.`,
  });

/** Deferred tools without a tool that finds them. */
export function deferredToolIssues(
  tools: readonly { type: string; name?: string; defer_loading?: boolean | undefined }[],
): ValidationIssue[] {
  if (tools.some(({ type, name = '' }) => type === 'server' && SEARCHES.includes(name))) return [];
  return tools.flatMap(({ defer_loading: isDeferred }, index) =>
    isDeferred === true
      ? [{ path: `tools.${index}.defer_loading`, message: `needs the tool ${SEARCHES.join(' or ')}` }]
      : [],
  );
}

/** Where an agent does not say: without a bound, no reservation could cover a call. */
export const DEFAULT_MAX_USES = 5;

const domains = z.array(z.string().min(1).max(500)).min(1).max(100);
const named = z.string().min(1).max(255).optional();

export const serverToolSettings = {
  max_uses: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .meta({ description: `Uses in one model call. Default: ${DEFAULT_MAX_USES}.` }),
  allowed_domains: domains.optional(),
  blocked_domains: domains.optional(),
  user_location: z
    .strictObject({
      type: z.literal('approximate'),
      city: named,
      region: named,
      country: named,
      timezone: named,
    })
    .optional(),
  max_content_tokens: z.int().min(1).max(1_000_000).optional(),
  citations: z.strictObject({ enabled: z.boolean() }).optional(),
};

type ServerTool = { name: ServerToolName } & Partial<Record<keyof typeof serverToolSettings, unknown>>;

/** Settings that this tool does not take, and those that exclude each other. `path`: of the tool. */
export function serverToolIssues(tool: ServerTool, path: string): ValidationIssue[] {
  const taken: readonly string[] = SERVER_TOOLS[tool.name].settings;
  const given = Object.keys(serverToolSettings).filter((name) => Reflect.get(tool, name) !== undefined);
  const issues = given
    .filter((name) => !taken.includes(name))
    .map((name) => ({ path: `${path}.${name}`, message: `is no setting of ${tool.name}` }));
  if (tool.allowed_domains !== undefined && tool.blocked_domains !== undefined) {
    issues.push({
      path: `${path}.blocked_domains`,
      message: 'must be omitted where allowed_domains is given',
    });
  }
  return issues;
}
