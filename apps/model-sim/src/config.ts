import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);

const configSchema = z.object({
  PORT: port.default(8089),
  HOST: z.string().min(1).default('127.0.0.1'),
  CONTROL_PORT: port.optional().meta({ description: 'Left out: the control routes are on PORT.' }),
  SCRIPT: z.string().min(1).optional().meta({ description: 'Path of a script, as JSON.' }),
});
export type Config = z.infer<typeof configSchema>;

/** The settings of this program. Throws a `ZodError` that names every mistake at once. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  // An empty value is how a compose file says "not set".
  return configSchema.parse(
    Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== '')),
  );
}
