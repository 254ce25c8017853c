import type { ReadRequest, Rule } from './rule.ts';

/** What some models refuse; a model that is not named here accepts everything. */
const REFUSED: readonly { models: RegExp; refuses: (request: ReadRequest) => string | null }[] = [
  {
    models: /^claude-(opus-4-[78]|fable-5|mythos-5)(-|$)/,
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
    models: /^claude-(3|sonnet-4-5|haiku-4-5|opus-4-1|opus-4-5|(sonnet|opus)-4-20)/,
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
    name: 'a parameter that the model does not have',
    refuses(request) {
      for (const { models, refuses } of REFUSED) {
        const refusal = models.test(request.fields.model) ? refuses(request) : null;
        if (refusal !== null) return refusal;
      }
      return null;
    },
  },
  {
    name: 'an output format that leaves an object open',
    refuses: ({ fields }) => {
      const schema = fields.output_config?.format?.schema;
      if (schema === undefined || isClosed(schema)) return null;
      return "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false";
    },
  },
];

function isClosed(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return true;
  if ('type' in part && part.type === 'object') {
    if (!('additionalProperties' in part) || part.additionalProperties !== false) return false;
  }
  return Object.values(part).every(isClosed);
}
