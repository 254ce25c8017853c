import { z } from 'zod';

/** The client's labels: up to 16 strings that the service does not interpret. */
export const metadataSchema = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 entries')
  .meta({ description: 'Your own labels: up to 16 strings.', example: { customer: 'c-42' } });
export type Metadata = z.infer<typeof metadataSchema>;
