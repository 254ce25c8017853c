import { rolesScript } from '@turnpike/store';
import { findDatabaseUrl } from '../config.ts';
import { say } from '../say.ts';

/** Prints the SQL that makes the roles of an installation, for `psql`. It contains no password. */
export function printRoles(): void {
  const url = findDatabaseUrl();
  say(rolesScript(url === undefined ? 'public' : (new URL(url).searchParams.get('schema') ?? 'public')));
}
