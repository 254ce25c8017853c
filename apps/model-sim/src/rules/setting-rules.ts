import type { Rule } from './rule.ts';

const PROPERTY_KEY = /^[a-zA-Z0-9_.-]{1,64}$/;

export const SETTING_RULES: readonly Rule[] = [
  {
    name: 'a blank stop sequence',
    refuses: ({ fields }) => {
      const sequences = Array.isArray(fields.stop_sequences) ? fields.stop_sequences : [];
      const isBlank = sequences.some((sequence) => String(sequence).trim() === '');
      return isBlank ? 'stop_sequences: each stop sequence must contain non-whitespace' : null;
    },
  },
  {
    name: 'a temperature with thinking',
    refuses: ({ fields: { temperature }, thinks }) =>
      thinks && temperature !== undefined && temperature !== 1
        ? '`temperature` may only be set to 1 when thinking is enabled.'
        : null,
  },
  {
    name: 'a temperature beside top_p',
    refuses: ({ fields: { model, temperature, top_p: topP } }) =>
      temperature !== undefined && topP !== undefined && !model.startsWith('claude-3')
        ? '`temperature` and `top_p` cannot both be specified for this model. Please use only one.'
        : null,
  },
  {
    name: 'context management without its beta',
    refuses: ({ fields, betas }) =>
      fields.context_management == null || betas.includes('context-management-2025-06-27')
        ? null
        : 'context_management: Extra inputs are not permitted',
  },
  {
    name: 'thinking to clear where there is none',
    refuses: ({ fields: { thinking, context_management: management } }) => {
      const clears = management?.edits?.some(({ type }) => type === 'clear_thinking_20251015') ?? false;
      if (!clears || thinking?.type === 'enabled' || thinking?.type === 'adaptive') return null;
      return '`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive';
    },
  },
  {
    name: 'a union at the top level of a schema',
    refuses: ({ tools }) => {
      const at = tools.findIndex(({ input_schema: schema = {} }) =>
        ['oneOf', 'anyOf', 'allOf'].some((keyword) => keyword in schema),
      );
      if (at === -1) return null;
      return `tools.${at}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level`;
    },
  },
  {
    name: 'a property key with other characters',
    refuses: ({ tools }) => {
      for (const [at, { input_schema: schema }] of tools.entries()) {
        const key = Object.keys(schema?.['properties'] ?? {}).find((name) => !PROPERTY_KEY.test(name));
        if (key === undefined) continue;
        return `tools.${at}.custom.input_schema.properties: Property keys should match pattern '${PROPERTY_KEY.source}'`;
      }
      return null;
    },
  },
  {
    name: 'calls in a request without tools',
    refuses: ({ tools, messages }) => {
      const blocks = messages.flatMap(({ content }) => content);
      const isAbout = blocks.some(({ type }) => type === 'tool_use' || type === 'tool_result');
      if (!isAbout || tools.length > 0) return null;
      return 'Requests which include `tool_use` or `tool_result` blocks must define tools.';
    },
  },
];
