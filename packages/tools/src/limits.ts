import { z } from 'zod';

const count = z.int().min(1).max(100_000);
const characters = z.int().min(1).max(32_000_000);
const milliseconds = z.int().min(1).max(3_600_000);

export const limitsSchema = z.strictObject({
  deadlineMs: milliseconds.default(30_000),
  secretsWaitMs: milliseconds.default(10_000),
  maxOutputCharacters: characters.default(64_000),
  maxMediaCharacters: characters.default(8_000_000),
  maxMemoryFiles: count.default(1_000),
  maxMemoryFileBytes: z.int().min(1).max(1_000_000).default(100_000),
});

/**
 * The limits of calls, all optional. An HTTP tool has its own in its configuration.
 * - `deadlineMs`: for a builtin tool that sets none of its own, and for a memory call. Milliseconds from
 *   when the call has its slot, default 30 s.
 * - `secretsWaitMs`: for the secrets of an HTTP tool, where the key provider is unavailable. Default 10 s.
 * - `maxOutputCharacters`: text of one output, default 64,000.
 * - `maxMediaCharacters`: images and documents of one output as JSON, default 8,000,000.
 * - `maxMemoryFiles`: in one namespace, default 1,000; `maxMemoryFileBytes`: of one file, default 100,000.
 */
export type ToolLimits = z.input<typeof limitsSchema>;
export type ReadLimits = z.output<typeof limitsSchema>;
