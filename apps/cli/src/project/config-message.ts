import { z } from 'zod';

/** What a process that has loaded `turnpike.config.ts` tells the command line. */
export const configMessageSchema = z.discriminatedUnion('type', [
  /** A file of the project was loaded. */
  z.object({ type: z.literal('loaded'), path: z.string() }),
  /** A file of the project is not there. */
  z.object({ type: z.literal('missing'), path: z.string() }),
  /** What the config defines. `body`: as for `POST /v1/agents`. */
  z.object({
    type: z.literal('config'),
    agents: z.array(z.object({ name: z.string(), body: z.record(z.string(), z.unknown()) })),
    tools: z.array(z.string()),
  }),
  /** It cannot be used; the message names file and line. */
  z.object({ type: z.literal('failed'), message: z.string() }),
]);
export type ConfigMessage = z.infer<typeof configMessageSchema>;
export type ConfigAgent = Extract<ConfigMessage, { type: 'config' }>['agents'][number];
