import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);

/** Every variable that the simulator reads. */
export const environmentVariables = z.object({
  PORT: port.default(8089).describe('The port of the simulator.'),
  HOST: z.string().min(1).default('127.0.0.1').describe('The address that it listens on.'),
  CONTROL_PORT: port.optional().meta({ description: 'The port of the control routes.', unset: '`PORT`' }),
  SCRIPT: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Path of a script, as JSON.', unset: 'built-in replies' }),
});
export type Config = z.infer<typeof environmentVariables>;

/** The settings of this program. Throws a `ZodError` that names every mistake at once. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  // An empty value is how a compose file says "not set".
  return environmentVariables.parse(
    Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== '')),
  );
}
