import { a2aDialect } from '@turnpike/dialect-a2a';
import { aiSdkDialect } from '@turnpike/dialect-ai-sdk';
import type { Dialect } from '@turnpike/dialect-base';
import { claudeAgentsDialect } from '@turnpike/dialect-claude-agents';
import { openaiDialect } from '@turnpike/dialect-openai';

/** All dialects, as the setting `DIALECTS` names them. */
export const DIALECTS: readonly Dialect[] = [openaiDialect, a2aDialect, claudeAgentsDialect, aiSdkDialect];

/** The dialect that the path is of; null for a path of the API's own. */
export function dialectOf(dialects: readonly Dialect[], path: string): Dialect | null {
  return dialects.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`)) ?? null;
}
