/** What a model accepts, of the parameters that not every model accepts. */
export interface ModelCapabilities {
  thinking: readonly ('enabled' | 'adaptive' | 'between_tools' | 'disabled')[];
  effort: readonly ('low' | 'medium' | 'high' | 'xhigh' | 'max')[];
  /** `output_format`, and `strict` tools. */
  structuredOutput: boolean;
  /** `temperature`, `top_p` and `top_k`. */
  sampling: boolean;
  /** `tool_choice` of the types `any` and `tool`. */
  forcedTools: boolean;
  /** `context_management`. */
  contextManagement: boolean;
  /** The most `max_tokens`. */
  maxTokens: number;
  /** `inference_geo`. */
  inferenceGeo: boolean;
}

/** The day on which the table was compared with Anthropic's documentation. */
export const CAPABILITIES_AS_OF = '2026-11-30';

/** Models from 4.6 on can be told where to run, and write twice as much. */
const BEFORE_4_6 = { inferenceGeo: false, maxTokens: 64_000 };
const BUDGET = ['enabled', 'disabled'] as const;
const ANY_THINKING = ['enabled', 'adaptive', 'disabled'] as const;
const NO_BUDGET = ['adaptive', 'disabled'] as const;
const UP_TO_HIGH = ['low', 'medium', 'high'] as const;
const UP_TO_MAX = ['low', 'medium', 'high', 'max'] as const;
const OF_CLAUDE_3 = { ...BEFORE_4_6, maxTokens: 4_096, structuredOutput: false, contextManagement: false };
const OF_CLAUDE_3_5 = { ...OF_CLAUDE_3, maxTokens: 8_192 };
/** With a beta; without it, half of that. */
const OF_CLAUDE_3_7 = { ...OF_CLAUDE_3, maxTokens: 128_000 };
const OF_OPUS_4 = { ...BEFORE_4_6, maxTokens: 32_000 };
const NO_SAMPLING = { sampling: false };
const NO_FORCE = { sampling: false, forcedTools: false };
const ANY_EFFORT = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

const model = (
  thinking: ModelCapabilities['thinking'],
  effort: ModelCapabilities['effort'],
  {
    structuredOutput = true,
    sampling = true,
    forcedTools = true,
    contextManagement = true,
    inferenceGeo = true,
    maxTokens = 128_000,
  }: Partial<ModelCapabilities> = {},
): ModelCapabilities => ({
  thinking,
  effort,
  structuredOutput,
  sampling,
  forcedTools,
  contextManagement,
  inferenceGeo,
  maxTokens,
});

/** By the name of a model, or the prefix of the names of its dated releases. Those that are not here are not checked. */
export const MODEL_CAPABILITIES: Readonly<Record<string, ModelCapabilities>> = {
  'claude-3-haiku': model(['disabled'], [], OF_CLAUDE_3),
  'claude-3-opus': model(['disabled'], [], OF_CLAUDE_3),
  'claude-3-5-haiku': model(['disabled'], [], OF_CLAUDE_3_5),
  'claude-3-5-sonnet': model(['disabled'], [], OF_CLAUDE_3_5),
  'claude-3-7-sonnet': model(BUDGET, [], OF_CLAUDE_3_7),
  'claude-sonnet-4': model(BUDGET, [], { ...BEFORE_4_6, structuredOutput: false }),
  'claude-opus-4': model(BUDGET, [], { ...OF_OPUS_4, structuredOutput: false }),
  'claude-opus-4-1': model(BUDGET, [], OF_OPUS_4),
  'claude-sonnet-4-5': model(BUDGET, [], BEFORE_4_6),
  'claude-haiku-4-5': model(BUDGET, [], BEFORE_4_6),
  'claude-opus-4-5': model(BUDGET, UP_TO_HIGH, BEFORE_4_6),
  'claude-sonnet-4-6': model(ANY_THINKING, UP_TO_MAX),
  'claude-opus-4-6': model(ANY_THINKING, UP_TO_MAX),
  'claude-opus-4-7': model(NO_BUDGET, ANY_EFFORT, NO_SAMPLING),
  'claude-opus-4-8': model(NO_BUDGET, ANY_EFFORT, NO_SAMPLING),
  'claude-fable-5': model(['adaptive'], ANY_EFFORT, NO_SAMPLING),
  'claude-fable-5-1': model(['adaptive'], ANY_EFFORT, NO_FORCE),
  'claude-mythos-5': model(['adaptive'], ANY_EFFORT, NO_SAMPLING),
  'claude-opus-5': model(NO_BUDGET, ANY_EFFORT, NO_SAMPLING),
  'claude-sonnet-5': model(NO_BUDGET, ANY_EFFORT, NO_SAMPLING),
  'claude-opus-5-5': model(['adaptive'], ANY_EFFORT, NO_FORCE),
  'claude-sonnet-5-5': model(['adaptive', 'between_tools'], ANY_EFFORT, NO_FORCE),
  'claude-haiku-5-5': model(NO_BUDGET, ANY_EFFORT, NO_SAMPLING),
};

/** The models that take `speed: "fast"`, and the beta that each needs for it. */
export const FAST_MODELS: Readonly<Record<string, { beta: string | null }>> = {
  'claude-fable-5-2': { beta: null },
  'claude-mythos-5-2': { beta: null },
  'claude-opus-5': { beta: 'fast-mode-2026-02-01' },
  'claude-opus-5-5': { beta: null },
};

/** What `speed: "fast"` needs of this model; null for one that is not known to take it. */
export function fastModeOf(name: string): { beta: string | null } | null {
  return closestOf(FAST_MODELS, name);
}

/** Null for a model that is not in the table, such as one of a gateway. */
export function capabilitiesOf(name: string): ModelCapabilities | null {
  return closestOf(MODEL_CAPABILITIES, name);
}

function closestOf<Entry>(table: Readonly<Record<string, Entry>>, name: string): Entry | null {
  const [closest] = Object.keys(table)
    .filter((listed) => isReleaseOf(listed, name))
    .toSorted((one, other) => other.length - one.length);
  return closest === undefined ? null : (table[closest] ?? null);
}

/** `claude-sonnet-4-5-20250929` is a release of `claude-sonnet-4-5`; `claude-sonnet-4-50` and `claude-sonnet-4-5-1` are not. */
export function isReleaseOf(listed: string, name: string): boolean {
  return (
    name === listed ||
    (name.startsWith(`${listed}-`) && /^(\d{8}|latest|0)$/.test(name.slice(listed.length + 1)))
  );
}
