import { idSchema, metadataSchema } from '@turnpike/contract';
import { z } from 'zod';
import { conversationIdSchema, responseIdSchema } from './ids.ts';
import { inputSchema } from './read-input.ts';
import { REQUEST_FIELDS, type RefusedField } from './fields.ts';

const functionTool = z.strictObject({
  type: z.literal('function', 'only functions can be given: other tools are those of the agent'),
  name: z.string(),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullable(),
  strict: z.boolean().nullish(),
});
export type FunctionTool = z.output<typeof functionTool>;

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.strictObject({ type: z.literal('function'), name: z.string() }),
]);

const textFormat = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({
      type: z.literal('json_schema'),
      name: z.string().optional(),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.unknown()),
      strict: z.literal(true, 'false is not supported: an output always fits its schema').nullish(),
    }),
  ],
  'must have the type `text` or `json_schema`',
);

/** A field that is refused, unless it is null. */
function refusal(field: RefusedField): z.ZodType<null | undefined> {
  return z.null(`is not supported: ${REQUEST_FIELDS[field].how}`).optional();
}

/** The body of `POST /responses`: every field that the official client knows, and no other. */
export const createResponseSchema = z
  .strictObject({
    model: z
      .union([idSchema('agent'), z.string().min(1).max(200)])
      .meta({ description: 'An agent, by its id or its name; or a Claude model, for the agent `default`.' }),
    input: inputSchema,
    background: z.boolean().nullish(),
    stream: z.boolean().nullish(),
    stream_options: z
      .strictObject({ include_obfuscation: z.literal(false, 'is not supported').optional() })
      .nullish(),
    previous_response_id: responseIdSchema.nullish(),
    conversation: z.union([conversationIdSchema, z.strictObject({ id: conversationIdSchema })]).nullish(),
    instructions: z.string().nullish(),
    max_output_tokens: z.int().min(1).nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().min(0).max(1).nullish(),
    reasoning: z
      .strictObject({
        effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).nullish(),
        summary: z.literal('auto', 'only `auto` is supported: the thinking as the model gives it').nullish(),
        generate_summary: z.null('is not supported: use summary').optional(),
        context: z.null('is not supported').optional(),
        mode: z.null('is not supported').optional(),
      })
      .nullish(),
    text: z
      .strictObject({
        format: textFormat.optional(),
        verbosity: z.literal('medium', 'only `medium` is supported').nullish(),
      })
      .nullish(),
    tools: z.array(functionTool).max(128).nullish(),
    tool_choice: toolChoice.nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    metadata: metadataSchema.nullish(),
    store: z
      .literal(true, 'false is not supported: a response is kept until its conversation is deleted')
      .nullish(),
    truncation: z.literal('auto', '`disabled` is not supported: a long conversation is summarized').nullish(),
    service_tier: z.enum(['auto', 'default'], 'must be `auto` or `default`').nullish(),
    safety_identifier: z.string().min(1).max(64).nullish(),
    prompt_cache_key: z.string().max(1_000).nullish(),
    include: z.array(z.never('is not supported')).max(0, 'must be empty: nothing can be included').nullish(),
    access_programs: refusal('access_programs'),
    background_options: refusal('background_options'),
    context_management: refusal('context_management'),
    image: refusal('image'),
    max_tool_calls: refusal('max_tool_calls'),
    moderation: refusal('moderation'),
    prompt: refusal('prompt'),
    prompt_cache_options: refusal('prompt_cache_options'),
    prompt_cache_retention: refusal('prompt_cache_retention'),
    top_logprobs: refusal('top_logprobs'),
    user: refusal('user'),
  })
  .meta({ id: 'OpenAICreateResponse', description: 'The body that the official client sends.' });
export type CreateResponse = z.output<typeof createResponseSchema>;
