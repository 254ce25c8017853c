import { createInterface } from 'node:readline/promises';
import { appendFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { carryOut, finish, type Done } from '../definitions/carry-out.ts';
import { compare } from '../definitions/compare.ts';
import type { Definition } from '../definitions/definition.ts';
import { describePlan, isChange } from '../definitions/describe-plan.ts';
import type { Planned } from '../definitions/plan-changes.ts';
import { readProject } from '../definitions/read-definitions.ts';
import { readWholeEnvironment } from '../config.ts';
import { findConfig } from '../project/find-config.ts';
import { readConfigAgents } from '../project/read-config.ts';
import { Failure } from '../failure.ts';
import { calling, openPublicApi, type PublicApi } from '../public-api.ts';
import { say, warn } from '../say.ts';

export interface ApplyOptions {
  /** Only look: exit code 1 where something would change. */
  check?: boolean;
  /** Do not ask. */
  yes?: boolean;
  /** Where `agents` and `tools` are. */
  folder: string;
  /** A file for the signing secrets of new tools, which are shown once. */
  signingSecrets?: string;
}

/**
 * Makes agents and HTTP tools what their files say: shows the difference, asks, and creates a new version only where
 * something differs. What has no file is left alone. Returns the exit code.
 */
export async function apply(options: ApplyOptions): Promise<number> {
  const definitions = await requireDefinitions(options.folder);
  const api = openPublicApi();
  const { planned, mistakes, ids } = await calling(api, () => compare(api.turnpike, definitions));
  refuseMistakes(mistakes);
  const changes = planned.filter(isChange);
  for (const line of describePlan(changes)) say(line);
  if (changes.length === 0) {
    say(`Nothing to change: ${count(definitions)} at ${api.url} are as the files say.`);
    return 0;
  }
  if (options.check === true) {
    warn(`${changes.length} of ${count(definitions)} at ${api.url} would change.`);
    return 1;
  }
  refuseLostSecrets(changes, options);
  if (options.yes !== true) await confirm(api);
  await applyAll(api, changes, ids, options);
  return 0;
}

/** The definitions of a directory. Throws a `Failure` that has every mistake in them on a line, or if there are none. */
async function requireDefinitions(folder: string): Promise<Definition[]> {
  const path = findConfig(resolve(folder));
  const agents = path === null ? [] : await readConfigAgents(path, readWholeEnvironment());
  const { definitions, mistakes } = await readProject(folder, path === null ? null : { path, agents });
  refuseMistakes(mistakes);
  if (definitions.length === 0) {
    throw new Failure(
      'There is nothing to apply: no agents in turnpike.config.ts, no agents/*.yaml, no tools/*.yaml.',
    );
  }
  return definitions;
}

function refuseMistakes(mistakes: readonly string[]): void {
  if (mistakes.length === 0) return;
  for (const mistake of mistakes) warn(mistake);
  throw new Failure(
    `Nothing was changed: ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}.`,
  );
}

function refuseLostSecrets(changes: readonly Planned[], { signingSecrets }: ApplyOptions): void {
  const created = changes.filter(
    ({ definition, existing }) => definition.kind === 'tool' && existing === null,
  );
  if (created.length === 0 || signingSecrets !== undefined) return;
  const names = created.map(({ definition }) => definition.name).join(', ');
  throw new Failure(
    `A new tool has a signing secret that is shown once (${names}): name a file for it with --signing-secrets.`,
  );
}

async function confirm({ url }: PublicApi): Promise<void> {
  if (!process.stdin.isTTY) throw new Failure('Say --yes to apply this, or --check to only look.');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Apply this to ${url}? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure('Nothing was changed.');
}

/** After a failure, what was done is done: the next run does the rest. */
async function applyAll(
  api: PublicApi,
  changes: readonly Planned[],
  ids: Map<string, string>,
  options: ApplyOptions,
): Promise<void> {
  let done = 0;
  const unfinished: Done[] = [];
  for (const planned of changes) {
    try {
      const made = await calling(api, () => carryOut(api.turnpike, planned, ids));
      if (!made.isWhole) unfinished.push(made);
      await report(made, options);
    } catch (error) {
      if (done > 0) warn(`${done} of ${changes.length} changes were made before this one failed.`);
      throw error;
    }
    done += 1;
  }
  for (const made of unfinished) await calling(api, () => finish(api.turnpike, made, ids));
}

async function report(
  { planned, result, signingSecret }: Done,
  { signingSecrets }: ApplyOptions,
): Promise<void> {
  const { kind, name } = planned.definition;
  const version = 'version' in result ? `, version ${result.version}` : '';
  say(`${planned.existing === null ? 'Created' : 'Changed'} ${kind} ${name}: ${result.id}${version}.`);
  if (kind !== 'tool' || planned.existing !== null) return;
  if (signingSecret === null)
    warn(`The signing secret of ${name} was lost on its way: delete the tool and apply again.`);
  else if (signingSecrets !== undefined) await keepSecret(signingSecrets, name, signingSecret);
}

async function keepSecret(file: string, name: string, secret: string): Promise<void> {
  await appendFile(file, `${name}=${secret}\n`, { mode: 0o600 });
  say(`Its signing secret is in ${file}.`);
}

function count(definitions: readonly Definition[]): string {
  const of = (kind: Definition['kind']): number => definitions.filter((one) => one.kind === kind).length;
  const parts = (['agent', 'tool'] as const).map((kind) => {
    const number = of(kind);
    return number === 0 ? '' : `${number} ${kind}${number === 1 ? '' : 's'}`;
  });
  return parts.filter((part) => part !== '').join(' and ');
}
