import type { ReadRequest, Rule } from './rule.ts';

const FAST_BETA = 'fast-mode-2026-02-01';

/** The most output tokens of models that have less than the newest. */
const MAX_TOKENS: readonly { models: RegExp; most: number }[] = [
  { models: /^claude-3-(haiku|opus|sonnet)/, most: 4_096 },
  { models: /^claude-3-5-/, most: 8_192 },
  { models: /^claude-opus-4-(1|20)/, most: 32_000 },
  { models: /^claude-(sonnet-4-20|(sonnet|haiku|opus)-4-5)/, most: 64_000 },
];

const BEFORE_4_6 = /^claude-(3|sonnet-4-5|haiku-4-5|opus-4-1|opus-4-5|(sonnet|opus)-4-20)/;

/** What some models refuse; a model that is not named here accepts everything. */
const REFUSED: readonly { models: RegExp; refuses: (request: ReadRequest) => string | null }[] = [
  {
    models: /^claude-(?!(fable-5-2|mythos-5-2|opus-5(-5)?)(-\d{8})?$)/,
    refuses: ({ fields: { model, speed } }) =>
      speed == null ? null : `'${model}' does not support the \`speed\` parameter.`,
  },
  {
    models: BEFORE_4_6,
    refuses: ({ fields: { model, inference_geo: geo } }) =>
      geo == null ? null : `'${model}' does not support the \`inference_geo\` parameter.`,
  },
  {
    models: /^claude-opus-5(-\d{8})?$/,
    refuses: ({ fields: { speed }, betas }) =>
      speed == null || betas.includes(FAST_BETA) ? null : 'speed: Extra inputs are not permitted',
  },
  {
    models: /^claude-opus-5-5(-|$)/,
    refuses: ({ fields: { thinking } }) =>
      thinking?.type === 'disabled'
        ? '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        : null,
  },
  {
    // Their thinking is always on.
    models: /^claude-(opus-5-5|sonnet-5-5|fable-5-1)(-|$)/,
    refuses: ({ fields: { tool_choice: choice } }) =>
      choice?.type === 'any' || choice?.type === 'tool'
        ? 'Thinking may not be enabled when tool_choice forces tool use.'
        : null,
  },
  {
    models: /^claude-(opus-4-[78]|fable-5|mythos-5|(opus|sonnet|haiku)-5)(-|$)/,
    refuses: ({ fields }) => {
      if (fields.thinking?.type === 'enabled') {
        return '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.';
      }
      const sampling = (['temperature', 'top_p', 'top_k'] as const).find(
        (name) => fields[name] !== undefined,
      );
      return sampling === undefined ? null : `\`${sampling}\` is not supported for this model.`;
    },
  },
  {
    models: BEFORE_4_6,
    refuses: ({ fields }) =>
      fields.thinking?.type === 'adaptive' ? 'adaptive thinking is not supported on this model' : null,
  },
  {
    models: /^claude-(3|sonnet-4-5|haiku-4-5|opus-4-1|(sonnet|opus)-4-20)/,
    refuses: ({ fields }) =>
      fields.output_config?.effort == null ? null : 'This model does not support the effort parameter.',
  },
  {
    models: /^claude-(3|(sonnet|opus)-4-20)/,
    refuses: ({ fields }) =>
      fields.output_config?.format == null ? null : 'This model does not support output_config.format.',
  },
];

export const MODEL_RULES: readonly Rule[] = [
  {
    name: 'more output than the model can write',
    refuses({ fields: { model, max_tokens: asked = 0 } }) {
      const most = MAX_TOKENS.find(({ models }) => models.test(model))?.most;
      if (most === undefined || asked <= most) return null;
      return `max_tokens: ${asked} > ${most}, which is the maximum allowed number of output tokens for ${model}`;
    },
  },
  {
    name: 'a parameter that the model does not have',
    refuses(request) {
      for (const { models, refuses } of REFUSED) {
        const refusal = models.test(request.fields.model) ? refuses(request) : null;
        if (refusal !== null) return refusal;
      }
      return null;
    },
  },
];
