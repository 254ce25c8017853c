/** What becomes of a field: it is taken over, it is refused, or it means something else here. */
interface Field {
  is: 'mapped' | 'refused' | 'different';
  how: string;
}

/**
 * Every field of the body of `POST /responses` that the types of the official client have. The reference is written from
 * this table, and `fields.test.ts` compares it with these types and with what is refused.
 */
export const REQUEST_FIELDS = {
  model: {
    is: 'mapped',
    how: 'An agent, by its id or its name. A name that begins with `claude-` and is no agent: the agent named `default` runs with that model, where it allows the override `model`. Always required.',
  },
  input: {
    is: 'mapped',
    how: 'The input of the turn. See [items](#items).',
  },
  background: {
    is: 'mapped',
    how: '`true`: the response comes at once, `queued`. Else it comes once the response is complete, or after `DIALECT_WAIT_MS` as it is then. The turn runs in the background either way, also where the client has gone.',
  },
  stream: { is: 'mapped', how: 'See [streams](#streams).' },
  stream_options: {
    is: 'different',
    how: 'Streams are not obfuscated; `include_obfuscation: true` is refused.',
  },
  previous_response_id: {
    is: 'mapped',
    how: "The next turn of that response's conversation; with outputs of functions, the same turn goes on. After a response that is not the newest of its conversation, the turn is in a [fork](../../how-to/going-back.md): a conversation of its own, copied up to there.",
  },
  conversation: { is: 'mapped', how: 'The next turn of a session.' },
  instructions: { is: 'mapped', how: 'The override `system`, for this turn alone.' },
  max_output_tokens: {
    is: 'different',
    how: 'The override `max_tokens`: it bounds each model call of the turn, not their sum.',
  },
  temperature: { is: 'mapped', how: 'The override `temperature`; more than 1 is refused.' },
  top_p: { is: 'mapped', how: 'The override `top_p`.' },
  reasoning: {
    is: 'mapped',
    how: '`effort` is the override `effort`; `none` is `thinking: disabled`, and `minimal` is `low`. `summary` may be `auto`: thinking that the model returns is shown as summaries. `context`, `mode` and `generate_summary` are refused.',
  },
  text: {
    is: 'mapped',
    how: '`format: json_schema` is the override `output_format`; its `name` and `description` are not shown to the model, and `strict: false` is refused, as is `json_object`. `verbosity` may be `medium`.',
  },
  tools: {
    is: 'mapped',
    how: 'Functions are client tools, beside the tools of the agent: the override `tools`. Functions that the agent has already as client tools need no override. Tools of other types are refused.',
  },
  tool_choice: {
    is: 'mapped',
    how: 'The override `tool_choice`: `none`, `auto`, `required`, or one function. Other kinds are refused.',
  },
  parallel_tool_calls: { is: 'mapped', how: '`false`: the override `tool_choice` without parallel calls.' },
  metadata: { is: 'mapped', how: 'The metadata of the turn.' },
  store: { is: 'different', how: 'Every response is kept, with its conversation. `false` is refused.' },
  truncation: {
    is: 'different',
    how: 'A long conversation is summarized ([agents](../../how-to/agents.md#long-sessions)). `disabled` is refused.',
  },
  service_tier: {
    is: 'mapped',
    how: '`default` is the override `service_tier: standard_only`; `auto` is none. Others are refused.',
  },
  safety_identifier: { is: 'mapped', how: 'The override `model_metadata`, as `user_id`.' },
  prompt_cache_key: {
    is: 'different',
    how: 'Accepted without effect: prompts are cached by their beginnings.',
  },
  include: { is: 'refused', how: 'it must be empty' },
  access_programs: { is: 'refused', how: 'there are none' },
  background_options: { is: 'refused', how: 'a turn has a deadline of its own' },
  context_management: { is: 'refused', how: "it is the agent's" },
  image: { is: 'refused', how: 'the model makes no images' },
  max_tool_calls: { is: 'refused', how: "the agent's max_steps bounds a turn" },
  moderation: { is: 'refused', how: 'there is none' },
  prompt: { is: 'refused', how: 'an agent is what a prompt template would be' },
  prompt_cache_options: { is: 'refused', how: 'prompts are cached by their beginnings' },
  prompt_cache_retention: { is: 'refused', how: "it is the agent's cache_ttl" },
  top_logprobs: { is: 'refused', how: 'the model returns none' },
  user: { is: 'refused', how: 'use safety_identifier' },
} as const satisfies Record<string, Field>;

export type RefusedField = {
  [Name in keyof typeof REQUEST_FIELDS]: (typeof REQUEST_FIELDS)[Name]['is'] extends 'refused' ? Name : never;
}[keyof typeof REQUEST_FIELDS];
