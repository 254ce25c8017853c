import { z } from 'zod';

/** Where a call is, or how it ended. `failed`: it was answered with an error or with broken data. */
const OUTCOMES = ['in_flight', 'hung', 'completed', 'failed', 'cut', 'aborted'] as const;
export const outcomeSchema = z.enum(OUTCOMES);
export type Outcome = z.infer<typeof outcomeSchema>;

/** One call of `POST /v1/messages`, as the control routes tell it. */
export const callSchema = z.object({
  number: z.int().positive(),
  at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  request_id: z.string(),
  /** SHA-256 of model, tools, system and messages; null where the body could not be read. */
  fingerprint: z.string().nullable(),
  outcome: outcomeSchema,
  status: z.int().nullable(),
  stream: z.boolean(),
  /** Events sent; 0 for a JSON answer. */
  events: z.int().nonnegative(),
  rule: z.string().nullable(),
  api_key_last4: z.string().nullable(),
  api_key_header: z.enum(['x-api-key', 'authorization']).nullable(),
  session: z.string().nullable(),
  turn: z.string().nullable(),
  step: z.int().nonnegative(),
  messages: z.int().nonnegative(),
  model: z.string().nullable(),
  /** The fields of the body that are no part of the prompt. */
  parameters: z.record(z.string(), z.unknown()),
  /** The names of the tools that it declares. */
  tools: z.array(z.string()),
  /** What the `anthropic-beta` header names. */
  betas: z.array(z.string()),
});
export type Call = z.infer<typeof callSchema>;

export const callListSchema = z.object({
  /** All calls since the last reset, also those no longer kept. */
  total: z.int().nonnegative(),
  /** False: `timeout_ms` passed first. */
  reached: z.boolean(),
  calls: z.array(callSchema),
});
export type CallList = z.infer<typeof callListSchema>;

export const statsSchema = z.object({
  calls: z.int().nonnegative(),
  completed: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  cut: z.int().nonnegative(),
  aborted: z.int().nonnegative(),
  hung: z.int().nonnegative().meta({ description: 'Hanging now.' }),
  /** Of the failed ones, those refused with a 4xx that no rule asked for: invalid requests. */
  rejected: z.int().nonnegative(),
  /** Fingerprints that completed more than once. */
  duplicates: z.int().nonnegative(),
  in_flight: z.int().nonnegative(),
  peak_in_flight: z.int().nonnegative(),
  rules: z.array(z.object({ rule: z.string(), fired: z.int().nonnegative() })),
});
export type Stats = z.infer<typeof statsSchema>;

export const waitQuerySchema = z.object({
  wait_for: z.coerce.number().int().min(0).max(10_000_000).default(0),
  outcome: outcomeSchema.optional(),
  timeout_ms: z.coerce.number().int().min(0).max(120_000).default(30_000),
  after: z.coerce.number().int().min(0).default(0),
});
