import { pathToFileURL } from 'node:url';
import { SCOPES } from '@turnpike/contract';
import { Command, InvalidArgumentError } from 'commander';
import type { ApplyOptions } from './commands/apply.ts';
import { changeBudgets, type NewBudgets } from './commands/budgets.ts';
import { addKey, endKey, printKeys, type NewKeyOptions } from './commands/keys.ts';
import { migrateDatabase } from './commands/migrate.ts';
import { LIMIT_OPTIONS, setLimits } from './commands/tenant-limits.ts';
import { printTenantRows } from './commands/tenant-export.ts';
import { addTenant, debugTenant, printTenants, setTenant } from './commands/tenants.ts';
import { PROGRAMS } from './paths.ts';
import { VERSION } from './version.ts';

/**
 * All commands. Their actions print, set `process.exitCode`, and throw a `Failure` for what the person at the terminal
 * can act on. What only some of them need is loaded by these: it is most of what a start takes.
 */
export function createProgram(): Command {
  const program = new Command('turnpike')
    .description('A durable backend for LLM agents.')
    .version(VERSION)
    .showHelpAfterError('(turnpike --help tells more)');

  program
    .command('start')
    .description('start everything on this machine, and show that it works')
    .option('-p, --port <port>', "the API's port (3000 where it is free)", parsePort)
    .action(async (options: { port?: number }) => {
      const { start } = await import('./commands/start.ts');
      process.exit(await start(options));
    });

  program
    .command('dev')
    .description('start everything with the code of turnpike.config.ts, and show its turns as they run')
    .option('-p, --port <port>', "the API's port (3000 where it is free)", parsePort)
    .action(async (options: { port?: number }) => {
      const { dev } = await import('./commands/dev.ts');
      process.exit(await dev(options));
    });

  program
    .command('run')
    .argument('<agent>', 'its name or its id')
    .argument('<input>', 'what the user says')
    .description('submit a turn, wait for its end, and print its output')
    .action(async (agent: string, input: string) => {
      const { run } = await import('./commands/run.ts');
      process.exitCode = await run(agent, input);
    });

  program
    .command('api')
    .description('run the API, by the settings in the environment')
    .action(async () => {
      await import(pathToFileURL(PROGRAMS.api).href);
    });

  program
    .command('receive')
    .description('print what webhooks and tools send to this machine, and answer 200')
    .option('-p, --port <port>', 'where to listen', parsePort, 4001)
    .action(async (options: { port: number }) => (await import('./commands/receive.ts')).receive(options));

  program
    .command('apply')
    .description(
      'make agents and HTTP tools what agents/*.yaml and tools/*.yaml say; shows the difference first',
    )
    .option('--check', 'only look; exit code 1 where something would change')
    .option('-y, --yes', 'do not ask')
    .option('--folder <folder>', 'where agents and tools are', '.')
    .option('--signing-secrets <file>', 'a file that the signing secrets of new tools are added to')
    .action(async (options: ApplyOptions) => {
      const { apply } = await import('./commands/apply.ts');
      process.exitCode = await apply(options);
    });
  program
    .command('export')
    .description('write the agents and HTTP tools that are there as files, which apply finds unchanged')
    .option('--folder <folder>', 'where agents and tools are written', '.')
    .option('-f, --force', 'overwrite files that say something else')
    .action(async (options: { folder: string; force?: boolean }) =>
      (await import('./commands/export.ts')).exportDefinitions(options),
    );

  program
    .command('migrate')
    .description('apply the migrations that DATABASE_URL does not have yet')
    .action(migrateDatabase);

  const schema = program.command('schema').description('check the database schema, or write its snapshot');
  schema
    .command('check')
    .description(
      'compare the migrations with schema.prisma, the SQL functions and the snapshot; exit code 1 where they differ',
    )
    .action(async () => {
      const { checkSchema } = await import('./commands/check-schema.ts');
      process.exitCode = await checkSchema();
    });
  schema
    .command('write')
    .description('write the snapshot packages/store/sql/schema.sql from the migrations')
    .action(async () => (await import('./commands/check-schema.ts')).writeSchema());

  const tenants = program
    .command('tenants')
    .description('the customers of the service, in DATABASE_URL or of the `start` that runs here');
  tenants
    .command('create')
    .argument('<name>')
    .option('--operator-key', "let it use the operator's own model key where it has none that works")
    .description('make a tenant and print its id')
    .action(addTenant);
  tenants
    .command('set')
    .argument('<tenant>', 'its id or its name')
    .option('--operator-key <on|off>', "whether it may use the operator's own model key", onOrOff)
    .description('change what the operator decides about a tenant')
    .action(setTenant);
  tenants
    .command('budget')
    .argument('<tenant>', 'its id or its name')
    .option('--day <dollars>', 'what it may spend on model calls in a day of UTC, or "off"')
    .option('--month <dollars>', 'as --day, in a month')
    .description('set what a tenant may spend, and print what it spent')
    .action((tenant: string, budgets: NewBudgets) => changeBudgets(tenant, budgets));
  tenants.command('list').description('list all tenants').action(printTenants);
  const limits = tenants
    .command('limits')
    .argument('<tenant>', 'its id or its name')
    .description('set what a tenant may use, and print all of it')
    .action(setLimits);
  for (const { option, description } of LIMIT_OPTIONS) limits.option(`--${option} <value>`, description);

  tenants
    .command('export')
    .argument('<tenant>', 'its id or its name')
    .option('-o, --output <file>', 'write to this file, which is readable to you alone (standard output)')
    .description('print every row that it owns, as JSON lines; of secrets and keys only what they are called')
    .action(printTenantRows);
  tenants
    .command('delete')
    .argument('<tenant>', 'its id or its name')
    .option('-y, --yes', 'do not ask')
    .option('--cancel', 'cancel turns that have not ended; without it they are in the way')
    .description('delete it with all that it owns; run it again where it was interrupted')
    .action(async (tenant: string, options: { yes?: boolean; cancel?: boolean }) =>
      (await import('./commands/tenant-deletion.ts')).eraseTenant(tenant, options),
    );

  tenants
    .command('debug')
    .argument('<tenant>', 'its id or its name')
    .argument('<on|off>')
    .option('-m, --minutes <minutes>', 'for how long (60)')
    .description('let workers at LOG_LEVEL=debug log what its turns say')
    .action(debugTenant);

  program
    .command('roles')
    .description(
      'print SQL for psql that makes roles for migrate, the API and the workers, with what each needs',
    )
    .action(async () => (await import('./commands/roles.ts')).printRoles());

  program
    .command('doctor')
    .option('--json', 'as JSON, for programs')
    .description(
      'look at all that an installation needs, and say what to do; exit code 1 where a check failed',
    )
    .action(async (options: { json?: boolean }) => {
      const { doctor } = await import('./commands/doctor.ts');
      process.exitCode = await doctor(options);
    });

  program
    .command('secrets')
    .description('the secrets of all tenants, in the same place')
    .command('rewrap')
    .option('--check', 'only say how many data keys are under older master keys; exit code 1 where any is')
    .description('put every data key under the current master key, while turns run')
    .action(async (options: { check?: boolean }) => {
      const { rewrapSecrets } = await import('./commands/secrets.ts');
      process.exitCode = await rewrapSecrets(options);
    });

  const keys = program.command('keys').description('the API keys of a tenant, in the same place');
  keys
    .command('create')
    .argument('<tenant>', 'its id or its name')
    .option('-n, --name <name>', 'what the key is for', 'default')
    .option('-s, --scope <scope>', 'what it may do; may be given several times (admin)', addTo)
    .option('--expires-in-days <days>', 'how long it works (for ever)')
    .description('make a key and print it, this once')
    .addHelpText('after', `\nScopes:\n${SCOPES.map((scope) => `  ${scope}`).join('\n')}`)
    .action((tenant: string, options: Omit<NewKeyOptions, 'scope'> & { scope?: string[] }) =>
      addKey(tenant, { scope: ['admin'], ...options }),
    );
  keys
    .command('list')
    .argument('<tenant>', 'its id or its name')
    .description('list the keys of a tenant')
    .action(printKeys);
  keys.command('revoke').argument('<key_id>').description('make a key worthless').action(endKey);

  return program;
}

function parsePort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function onOrOff(value: string): boolean {
  if (value !== 'on' && value !== 'off') throw new InvalidArgumentError('on or off.');
  return value === 'on';
}

function addTo(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
