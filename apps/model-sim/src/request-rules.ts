import { invalidRequest } from './api-error.ts';
import { CONTENT_RULES } from './rules/content-rules.ts';
import { FORMAT_RULES } from './rules/format-rules.ts';
import { MODEL_RULES } from './rules/model-rules.ts';
import { SETTING_RULES } from './rules/setting-rules.ts';
import { THINKING_RULES } from './rules/thinking-rules.ts';
import type { ReadRequest, Rule } from './rules/rule.ts';

/**
 * What the Messages API is publicly reported to refuse, beside what is no request at all. If you meet another
 * refusal adds a rule here: every test that asks a simulated model is held against it from then on.
 */
const REQUEST_RULES: readonly Rule[] = [
  ...SETTING_RULES,
  ...MODEL_RULES,
  ...FORMAT_RULES,
  ...CONTENT_RULES,
  ...THINKING_RULES,
];

/** Throws `ApiError` 400 for the first rule that the request breaks. */
export function checkRules(request: ReadRequest): void {
  for (const rule of REQUEST_RULES) {
    const refusal = rule.refuses(request);
    if (refusal !== null) throw invalidRequest(refusal);
  }
}
