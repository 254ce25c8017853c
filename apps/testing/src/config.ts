import { z } from 'zod';

const variables = z.object({
  TURNPIKE_TEST_DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' })
    .optional(),
});

/** The database that tests use; undefined: an embedded one of this process. Throws for what is no address. */
export function readTestDatabaseUrl(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const url = environment['TURNPIKE_TEST_DATABASE_URL'];
  const parsed = variables.safeParse({ TURNPIKE_TEST_DATABASE_URL: url === '' ? undefined : url });
  if (parsed.success) return parsed.data.TURNPIKE_TEST_DATABASE_URL;
  throw new TypeError(`TURNPIKE_TEST_DATABASE_URL ${parsed.error.issues[0]?.message ?? 'is invalid'}.`);
}

/** The environment of the Postgres that is started. */
export function readServerEnvironment(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(
    ['PATH', 'TMPDIR', 'SystemRoot'].flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
