/** What a model accepts, of the parameters that not every model accepts. */
export interface ModelCapabilities {
  thinking: readonly ('enabled' | 'adaptive' | 'disabled')[];
  effort: readonly ('low' | 'medium' | 'high' | 'xhigh' | 'max')[];
  /** `output_format`, and `strict` tools. */
  structuredOutput: boolean;
  /** `temperature`, `top_p` and `top_k`. */
  sampling: boolean;
}

/** The day on which the table was compared with Anthropic's documentation. */
export const CAPABILITIES_AS_OF = '2026-11-30';

const BUDGET = ['enabled', 'disabled'] as const;
const ANY_THINKING = ['enabled', 'adaptive', 'disabled'] as const;
const NO_BUDGET = ['adaptive', 'disabled'] as const;
const UP_TO_HIGH = ['low', 'medium', 'high'] as const;
const UP_TO_MAX = ['low', 'medium', 'high', 'max'] as const;
const ANY_EFFORT = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

const model = (
  thinking: ModelCapabilities['thinking'],
  effort: ModelCapabilities['effort'],
  { structuredOutput = true, sampling = true } = {},
): ModelCapabilities => ({ thinking, effort, structuredOutput, sampling });

/** By the name of a model, or the prefix of the names of its dated releases. Those that are not here are not checked. */
export const MODEL_CAPABILITIES: Readonly<Record<string, ModelCapabilities>> = {
  'claude-3-haiku': model(['disabled'], [], { structuredOutput: false }),
  'claude-3-opus': model(['disabled'], [], { structuredOutput: false }),
  'claude-3-5-haiku': model(['disabled'], [], { structuredOutput: false }),
  'claude-3-5-sonnet': model(['disabled'], [], { structuredOutput: false }),
  'claude-3-7-sonnet': model(BUDGET, [], { structuredOutput: false }),
  'claude-sonnet-4': model(BUDGET, [], { structuredOutput: false }),
  'claude-opus-4': model(BUDGET, [], { structuredOutput: false }),
  'claude-opus-4-1': model(BUDGET, []),
  'claude-sonnet-4-5': model(BUDGET, []),
  'claude-haiku-4-5': model(BUDGET, []),
  'claude-opus-4-5': model(BUDGET, UP_TO_HIGH),
  'claude-sonnet-4-6': model(ANY_THINKING, UP_TO_MAX),
  'claude-opus-4-6': model(ANY_THINKING, UP_TO_MAX),
  'claude-opus-4-7': model(NO_BUDGET, ANY_EFFORT, { sampling: false }),
  'claude-opus-4-8': model(NO_BUDGET, ANY_EFFORT, { sampling: false }),
  'claude-fable-5': model(['adaptive'], ANY_EFFORT, { sampling: false }),
  'claude-mythos-5': model(['adaptive'], ANY_EFFORT, { sampling: false }),
};

/** Null for a model that is not in the table, such as one of a gateway. */
export function capabilitiesOf(name: string): ModelCapabilities | null {
  const [closest] = Object.keys(MODEL_CAPABILITIES)
    .filter((listed) => isReleaseOf(listed, name))
    .toSorted((one, other) => other.length - one.length);
  return closest === undefined ? null : (MODEL_CAPABILITIES[closest] ?? null);
}

/** `claude-sonnet-4-5-20250929` is a release of `claude-sonnet-4-5`; `claude-sonnet-4-50` and `claude-sonnet-4-5-1` are not. */
export function isReleaseOf(listed: string, name: string): boolean {
  return (
    name === listed ||
    (name.startsWith(`${listed}-`) && /^(\d{8}|latest|0)$/.test(name.slice(listed.length + 1)))
  );
}
