import { findDatabaseUrl, readDoctorConfig } from '../config.ts';
import { checkDatabase } from '../doctor/check-database.ts';
import { checkKeys } from '../doctor/check-keys.ts';
import { checkModel } from '../doctor/check-model.ts';
import { checkNode } from '../doctor/check-node.ts';
import { checkRedis } from '../doctor/check-redis.ts';
import { orFailure, skipped, type Finding } from '../doctor/finding.ts';
import { say } from '../say.ts';
import { withDatabase } from '../with-database.ts';

const MARKS: Record<Finding['status'], string> = {
  ok: 'ok     ',
  warning: 'WARNING',
  failure: 'FAILURE',
  skipped: 'skipped',
};

/**
 * Looks at all that an installation needs, by the settings in the environment, and changes nothing. Returns the exit
 * code: 1 where a check failed.
 */
export async function doctor({ json = false }: { json?: boolean }): Promise<number> {
  const findings = await findAll();
  if (json) say(JSON.stringify({ findings }, null, 2));
  else for (const finding of findings) print(finding);
  return findings.some(({ status }) => status === 'failure') ? 1 : 0;
}

async function findAll(): Promise<Finding[]> {
  const { backplane, modelBaseUrl, modelProvider } = readDoctorConfig();
  const url = findDatabaseUrl();
  const [database, redis, model] = await Promise.all([
    url === undefined
      ? [skipped('database', 'DATABASE_URL is not set.')]
      : orFailure('database', 'See that DATABASE_URL names it, and that it can be reached from here.', () =>
          withDatabase(url, async (opened) => [
            ...(await orFailure('database', 'Run turnpike migrate, as a role that may.', () =>
              checkDatabase(opened),
            )),
            ...(await orFailure(
              'master_keys',
              'Give the settings of the master keys, as the API has them.',
              () => checkKeys(opened),
            )),
          ]),
        ),
    backplane === undefined
      ? [skipped('redis', 'BACKPLANE_URL and REDIS_URL name no Redis.')]
      : orFailure('redis', 'See that BACKPLANE_URL names it, and that it can be reached from here.', () =>
          checkRedis(backplane.url, backplane.redis),
        ),
    modelProvider === 'anthropic'
      ? orFailure('model_api', 'Allow connections from the workers to it, or set ANTHROPIC_BASE_URL.', () =>
          checkModel(modelBaseUrl),
        )
      : [skipped('model_api', `MODEL_PROVIDER is ${modelProvider}.`)],
  ]);
  return [checkNode(), ...database, ...redis, ...model];
}

function print({ check, status, seen, remedy }: Finding): void {
  say(`${MARKS[status]}  ${check.padEnd(21)} ${seen}`);
  if (remedy !== null) say(`${' '.repeat(31)}${remedy}`);
}
