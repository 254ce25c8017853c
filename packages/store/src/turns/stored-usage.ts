import type { Usage } from '@turnpike/contract';

/** Token counts as rows have them. */
interface StoredUsage {
  inputTokens: number;
  outputTokens: number;
  cacheCreationInputTokens: number;
  cacheReadInputTokens: number;
}

/** Token counts as clients see them. */
export function usageOf(row: StoredUsage): Usage {
  return {
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cache_creation_input_tokens: row.cacheCreationInputTokens,
    cache_read_input_tokens: row.cacheReadInputTokens,
  };
}
