import { z } from 'zod';

/** How fast a response comes. Without `tokens_per_second`, as fast as the client reads. */
export const paceSchema = z.strictObject({
  first_token_ms: z.number().min(0).max(3_600_000).optional(),
  tokens_per_second: z.number().positive().max(1_000_000).optional(),
  chunk: z.int().min(1).max(10_000).optional().meta({ description: 'Tokens of one delta.' }),
  stamp: z.boolean().optional().meta({
    description: 'Each text delta starts with `<t=MS>`: CLOCK_MONOTONIC in ms, as process.hrtime() has it.',
  }),
});
export type Pace = z.infer<typeof paceSchema>;

const regexSchema = z.strictObject({
  regex: z.string().min(1).max(1000),
  flags: z.string().max(8).optional(),
});

const textMatchSchema = z
  .union([z.string().min(1).max(10_000), regexSchema])
  .superRefine((match, context) => {
    if (typeof match === 'string') return;
    try {
      void new RegExp(match.regex, match.flags);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'not a regex' });
    }
  });

/** All that is given must hold. */
export const matchSchema = z.strictObject({
  text: textMatchSchema.optional().meta({ description: 'Part of the last user text, or a regex on it.' }),
  session: z
    .string()
    .max(200)
    .optional()
    .meta({ description: 'The first `[[marker]]` of the conversation.' }),
  turn: z.string().max(200).optional().meta({ description: 'The last `[[marker]]` of the last user text.' }),
  step: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Assistant messages since the last plain user message.' }),
  model: z.string().max(200).optional(),
  has_tool_result: z.boolean().optional().meta({ description: 'Does the last message answer a tool call?' }),
  api_key: z.string().min(1).max(300).optional().meta({ description: 'The end of the key.' }),
});
export type Match = z.infer<typeof matchSchema>;

const tokenCount = z.int().min(0).max(100_000_000).optional();

export const replySchema = z.strictObject({
  text: z.string().max(4_000_000).optional(),
  thinking: z
    .string()
    .max(4_000_000)
    .optional()
    .meta({ description: 'Left out unless the request asks for it.' }),
  tool_uses: z
    .array(
      z.strictObject({
        id: z.string().max(1_000).optional(),
        name: z.string().max(1_000),
        input: z
          .record(z.string(), z.unknown())
          .nullable()
          .default({})
          .meta({ description: 'null: the call comes without any.' }),
        input_json: z.string().max(4_000_000).optional().meta({
          description: 'The text of the input as it is streamed, in place of `input`: it may be no JSON.',
        }),
      }),
    )
    .max(1_000)
    .optional(),
  server_calls: z
    .array(
      z.strictObject({
        name: z.enum([
          'web_search',
          'web_fetch',
          'code_execution',
          'tool_search_tool_regex',
          'tool_search_tool_bm25',
        ]),
        input: z.record(z.string(), z.unknown()).default({}),
        result: z
          .unknown()
          .optional()
          .meta({ description: 'Left out, the call has none yet: the API goes on with it later.' }),
      }),
    )
    .max(100)
    .optional()
    .meta({ description: 'Calls of tools that the API runs, with their results, before the text.' }),
  server_results: z
    .array(z.unknown())
    .max(100)
    .optional()
    .meta({ description: 'Results of the calls that the response before left open, in their order.' }),
  stop_reason: z
    .enum([
      'end_turn',
      'tool_use',
      'max_tokens',
      'stop_sequence',
      'pause_turn',
      'refusal',
      'model_context_window_exceeded',
    ])
    .optional(),
  usage: z
    .strictObject({
      input_tokens: tokenCount,
      output_tokens: tokenCount,
      cache_creation_input_tokens: tokenCount,
      cache_read_input_tokens: tokenCount,
    })
    .optional(),
});
export type Reply = z.infer<typeof replySchema>;

const eventCount = z.int().min(0).max(10_000_000);

/** `after_events: n`: n events were sent. A stream that has fewer ends as if there were no fault. */
export const faultSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('status'),
    status: z.int().min(400).max(599),
    error_type: z.string().min(1).max(100).optional(),
    message: z.string().max(10_000).optional(),
    headers: z.record(z.string().regex(/^[a-z0-9-]{1,100}$/), z.string().max(1000)).optional(),
  }),
  z.strictObject({ type: z.literal('cut'), after_events: eventCount.default(0) }),
  z.strictObject({
    type: z.literal('error_event'),
    after_events: eventCount.default(0),
    error_type: z.string().min(1).max(100).default('overloaded_error'),
    message: z.string().max(10_000).default('Overloaded'),
  }),
  z.strictObject({
    type: z.literal('hang'),
    after_events: eventCount.optional().meta({ description: 'Left out: not even the head is sent.' }),
  }),
  z.strictObject({ type: z.literal('malformed'), after_events: eventCount.default(0) }),
]);
export type Fault = z.infer<typeof faultSchema>;

export const ruleSchema = z
  .strictObject({
    name: z.string().max(200).optional(),
    match: matchSchema.default({}),
    times: z.int().min(1).optional().meta({ description: 'How often the rule fires at most.' }),
    probability: z.number().min(0).max(1).optional(),
    pace: paceSchema.optional(),
    reply: replySchema.optional(),
    fault: faultSchema.optional(),
  })
  .refine((rule) => rule.reply !== undefined || rule.fault !== undefined || rule.pace !== undefined, {
    message: 'needs a reply, a fault or a pace',
  });
export type Rule = z.infer<typeof ruleSchema>;

export const scriptSchema = z
  .strictObject({
    seed: z.int().min(0).default(1).meta({ description: 'Decides what `probability` does.' }),
    defaults: paceSchema.default({}),
    rules: z.array(ruleSchema).max(10_000).default([]),
    api_keys: z
      .array(z.string().min(1).max(300))
      .max(1000)
      .optional()
      .meta({ description: 'The only keys that are let in. Left out: any key.' }),
    cache_minimum_tokens: z
      .int()
      .min(0)
      .default(1024)
      .meta({ description: 'A shorter prefix is not cached, as at the real API.' }),
    refused_blocks: z
      .array(
        z.strictObject({
          contains: z.string().min(1).max(1000).meta({ description: 'Part of the JSON of the block.' }),
          types: z.array(z.string().max(100)).max(20).optional(),
          message: z.string().min(1).max(1000).default('Could not process image'),
          named: z.boolean().default(true).meta({ description: 'The error names the block.' }),
        }),
      )
      .max(100)
      .default([])
      .meta({
        description: 'Blocks, also in results of tools, that are refused with 400 wherever they stand.',
      }),
    batches: z
      .strictObject({
        duration_ms: z
          .int()
          .min(0)
          .max(86_400_000)
          .default(0)
          .meta({ description: 'Until a batch has ended.' }),
        lose_responses: z
          .int()
          .min(0)
          .default(0)
          .meta({ description: 'So many batches are taken, and their connections cut before the response.' }),
        status: z.int().min(400).max(599).optional().meta({ description: 'Every batch is refused with it.' }),
      })
      .default({ duration_ms: 0, lose_responses: 0 }),
    most_tokens: z.int().min(1).optional().meta({ description: 'A longer prompt is refused with 400.' }),
    most_bytes: z.int().min(1).optional().meta({ description: 'Larger messages are refused with 413.' }),
  })
  .meta({
    description: 'What the simulation does. Rules are tried in order; what none answers, the assistant does.',
  });

/** A script with its defaults filled in. */
export type Script = z.infer<typeof scriptSchema>;
/** A script as it is written. */
export type ScriptInput = z.input<typeof scriptSchema>;
