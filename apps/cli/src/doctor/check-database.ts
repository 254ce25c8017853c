import {
  appliedMigrations,
  inspectDatabase,
  requiredMigrations,
  type Database,
  type DatabaseFacts,
} from '@turnpike/store';
import { clockFinding, failure, ok, warning, type Finding } from './finding.ts';

/** What tests run on, back to the oldest. */
const OLDEST = 140_000;
const MOST_CONNECTIONS = 0.8;

/** The server, the schema and the role. */
export async function checkDatabase(database: Database): Promise<Finding[]> {
  const before = Date.now();
  const facts = await inspectDatabase(database);
  const after = Date.now();
  return [
    checkVersion(facts),
    checkWritable(facts),
    await checkMigrations(database),
    checkDurability(facts),
    checkConnections(facts),
    checkPrivileges(facts),
    checkSuperuser(facts),
    checkIndexes(facts),
    checkVacuum(facts),
    clockFinding('database_clock', 'Postgres', { theirs: facts.clock, before, after }),
  ];
}

function checkVersion({ version, versionNumber }: DatabaseFacts): Finding {
  const seen = `Postgres ${version}.`;
  return versionNumber >= OLDEST
    ? ok('database_version', seen)
    : failure('database_version', seen, 'Upgrade to Postgres 14 or newer.');
}

function checkWritable({ isStandby }: DatabaseFacts): Finding {
  return isStandby
    ? failure(
        'database_writable',
        'This is a standby, which takes no writes.',
        'Name the primary in DATABASE_URL.',
      )
    : ok('database_writable', 'It takes writes.');
}

async function checkMigrations({ pool, schema }: Database): Promise<Finding> {
  const [required, applied] = await Promise.all([requiredMigrations(), appliedMigrations(pool, schema)]);
  const missing = required.filter((name) => !applied.includes(name));
  const newer = applied.filter((name) => !required.includes(name));
  if (missing.length > 0)
    return failure(
      'migrations',
      `${missing.length} of ${required.length} are missing in the schema ${schema}, the first is ${missing[0]}.`,
      'Run turnpike migrate.',
    );
  if (newer.length > 0)
    return warning(
      'migrations',
      `The schema ${schema} has ${newer.length} that this version does not know, such as ${newer[0]}.`,
      'Upgrade this program to the version that migrated the database.',
    );
  return ok('migrations', `All ${required.length} are applied in the schema ${schema}.`);
}

function checkDurability({ fsync, fullPageWrites, synchronousCommit }: DatabaseFacts): Finding {
  const settings = { fsync, full_page_writes: fullPageWrites, synchronous_commit: synchronousCommit };
  const off = Object.entries(settings).flatMap(([name, value]) => (value === 'off' ? [name] : []));
  return off.length === 0
    ? ok('database_durability', 'What is committed survives a crash of the server.')
    : failure(
        'database_durability',
        `Off: ${off.join(', ')}.`,
        'Turn it on: else a crash of the server loses turns that were accepted.',
      );
}

function checkConnections({ connections, maxConnections }: DatabaseFacts): Finding {
  const seen = `${connections} of ${maxConnections} connections are in use.`;
  return connections < maxConnections * MOST_CONNECTIONS
    ? ok('database_connections', seen)
    : warning(
        'database_connections',
        seen,
        'Raise max_connections, lower DATABASE_POOL_SIZE, or put a pooler in between.',
      );
}

function checkPrivileges({ role, forbidden }: DatabaseFacts): Finding {
  if (forbidden.length === 0) return ok('role_privileges', `The role ${role} may read and write all tables.`);
  return failure(
    'role_privileges',
    `The role ${role} may not read and write: ${forbidden.slice(0, 5).join(', ')}${forbidden.length > 5 ? ' and others' : ''}.`,
    'Grant it SELECT, INSERT, UPDATE and DELETE on all tables of the schema.',
  );
}

function checkSuperuser({ role, isSuperuser, mayCreate }: DatabaseFacts): Finding {
  if (isSuperuser)
    return warning(
      'role_excess',
      `The role ${role} is a superuser.`,
      'Give the service a role of its own; only turnpike migrate needs one that may create tables.',
    );
  return mayCreate
    ? warning(
        'role_excess',
        `The role ${role} may create tables in the schema.`,
        'Only turnpike migrate needs that: give the service another role.',
      )
    : ok('role_excess', `The role ${role} may not change the schema.`);
}

function checkIndexes({ invalidIndexes, unvalidated }: DatabaseFacts): Finding {
  const found = [...invalidIndexes, ...unvalidated];
  return found.length === 0
    ? ok('schema_valid', 'Every index and constraint is valid.')
    : failure(
        'schema_valid',
        `Not valid: ${found.join(', ')}.`,
        'A migration was interrupted: REINDEX INDEX CONCURRENTLY each index, VALIDATE each constraint.',
      );
}

function checkVacuum({ autovacuum, bloated }: DatabaseFacts): Finding {
  if (autovacuum === 'off')
    return failure('autovacuum', 'It is off.', 'Turn it on: tables grow, and reads slow down without it.');
  return bloated.length === 0
    ? ok('autovacuum', 'It keeps up.')
    : warning(
        'autovacuum',
        `More dead rows than live ones: ${bloated.join(', ')}.`,
        'End transactions that are open for long, and lower autovacuum_vacuum_scale_factor of these tables.',
      );
}
