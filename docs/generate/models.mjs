import { CAPABILITIES_AS_OF, FAST_MODELS, fastModeOf, MODEL_CAPABILITIES } from '@turnpike/contract';
import { code, table, WRITTEN } from './markdown.mjs';

const list = (values) => (values.length === 0 ? 'none' : values.map(code).join(', '));
const yes = (accepted) => (accepted ? 'yes' : 'no');

const rows = Object.entries(MODEL_CAPABILITIES).map(([name, accepted]) => [
  code(name),
  accepted.maxTokens.toLocaleString('en'),
  list(accepted.thinking),
  list(accepted.effort),
  yes(accepted.structuredOutput),
  yes(accepted.sampling),
  yes(accepted.forcedTools),
  yes(accepted.contextManagement),
  yes(accepted.inferenceGeo),
  yes(fastModeOf(name) !== null),
]);

const otherFast = Object.keys(FAST_MODELS).filter((name) => MODEL_CAPABILITIES[name] === undefined);

/** docs/reference/models.md */
export const models = `${WRITTEN}

# Models

What each model accepts of the [parameters](../how-to/agents.md#model-parameters) that not every model accepts, from \`packages/contract/src/messages-api/model-capabilities.ts\` (compared with Anthropic's documentation on ${CAPABILITIES_AS_OF}). An agent whose model does not accept one is refused with 400. A model that is not listed, such as one of a gateway, is not checked.

${table(
  [
    'model',
    'max_tokens',
    'thinking',
    'effort',
    'output format, strict tools',
    'temperature, top_p, top_k',
    'tool choice any, tool',
    'context management',
    'inference geo',
    'speed fast',
  ],
  rows,
)}

The speed \`fast\` is also for ${list(otherFast)}.
`;
