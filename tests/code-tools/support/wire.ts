import type { stepSchema, toolCallSchema } from '@turnpike/contract';
import type { z } from 'zod';

export type { Turn } from '@turnpike/contract';
export type Step = z.infer<typeof stepSchema>;
export type ToolCall = z.infer<typeof toolCallSchema>;
